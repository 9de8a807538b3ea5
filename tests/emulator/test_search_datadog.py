"""The search as Datadog's own open implementation understands it (`match_datadog_query` of vectordotdev/vrl).

Its cases, told again with events of ours: each as it is, after NOT and after a dash. Where we differ it is on purpose,
and the reason stands beside the case.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from dd_pa.emulator.query.statement import Statement
from dd_pa.emulator.search.grammar import parse_search
from dd_pa.emulator.search.predicates import row_test
from dd_pa.emulator.warehouse.query_deadline import QueryDeadline
from dd_pa.emulator.warehouse.table_row import Event
from dd_pa.emulator.warehouse.warehouse import Warehouse
from tests.emulator.test_search import Row

TAGGED = {"ddtags": "env:prod,team:checkout-eu,beta,weight:400"}
SAID = {"note": "refund after chargeback"}
MANY = {"note": "first class parcel", "order": {"kind": "giftwrap"}}

AGREED: list[tuple[dict[str, Any], str, bool]] = [
    # there or not: attributes and tags
    (SAID, "_exists_:note", True),
    (SAID, "_exists_:@note", True),
    (SAID, "_exists_:@other", False),
    ({"ship-to": "x"}, "_exists_:@ship-to", True),
    ({"order": {"total": 1}}, "_exists_:@order.total", True),
    (SAID, '_exists_:"note"', True),
    (SAID, "_exists_:(@other OR @note)", True),
    (SAID, "_missing_:@other", True),
    (SAID, "_missing_:@note", False),
    ({"ship-to": "x"}, "_missing_:@bill-to", True),
    (TAGGED, "_exists_:env", True),
    (TAGGED, "_exists_:beta", True),
    (TAGGED, "_exists_:alpha", False),
    (TAGGED, "_missing_:alpha", True),
    (TAGGED, "_missing_:beta", False),
    # everything
    (SAID, "*", True),
    (SAID, "*:*", True),
    (SAID, "[* TO *]", True),
    # words
    (SAID, "chargeback", True),
    (SAID, "charge", False),
    (SAID, "*back", True),
    (SAID, "*bac", False),
    (SAID, "charge*", True),
    (SAID, "harge*", False),
    (SAID, "c*ge*ck", True),
    (SAID, "c*gx*ck", False),
    (SAID, "refund\\ aft*", True),
    (SAID, "*fund\\ after", True),
    (SAID, "refund\\ cha*", False),
    (SAID, "*:chargeback", True),
    (SAID, '*:"after chargeback"', True),
    # tags
    (TAGGED, "env:prod", True),
    (TAGGED, "env:staging", False),
    (TAGGED, "team:*-eu", True),
    (TAGGED, "team:*-us", False),
    (TAGGED, "env:*-eu", False),
    (TAGGED, "team:check*", True),
    (TAGGED, "team:heck*", False),
    (TAGGED, "team:c*k*eu", True),
    (TAGGED, "beta:[* TO *]", True),
    (TAGGED, "alpha:[* TO *]", False),
    (TAGGED, "weight:[4 TO *]", True),
    (TAGGED, 'weight:["4" TO *]', True),
    (TAGGED, 'weight:["50" TO *]', False),
    (TAGGED, 'weight:[* TO "5"]', True),
    (TAGGED, 'weight:["1" TO "6"]', True),
    ({"tags": ["a", "b"]}, "tags:a", True),
    ({"tags": ["a", "b"]}, "tags:c", False),
    # facets
    ({"n": 1}, "@n:1", True),
    ({"kind": "giftwrap"}, "@kind:*wrap", True),
    ({"kind": "giftwrap"}, "@kind:gift*", True),
    ({"kind": "giftwrap"}, "@kind:g*t*p", True),
    ({"kind": "wrapgift"}, "@kind:*wrap", False),
    ({"ship-to": "3"}, "@ship-to:3", True),
    # ranges of a facet: numbers by number, bounds in quotes by character
    ({"n": 1}, "@n:[* TO *]", True),
    ({"n": 5}, "@n:[4 TO *]", True),
    ({"n": 5}, "@n:[50 TO *]", False),
    ({"n": 500}, "@n:[* TO 400]", False),
    ({"n": 200}, "@n:[1 TO 6]", False),
    ({"n": 5}, '@n:["4" TO *]', True),
    ({"n": "5"}, '@n:["4" TO *]', True),
    ({"n": "400"}, '@n:["50" TO *]', False),
    ({"n": "5"}, '@n:[* TO "400"]', False),
    ({"n": "500"}, '@n:["1" TO "6"]', True),
    ({"n": "7"}, '@n:["1" TO "60"]', False),
    ({"n": 7.0}, "@n:[7 TO 10]", True),
    ({"n": 6.9}, "@n:[7 TO 10]", False),
    ({"n": 7}, "@n:[7.0 TO 10.0]", True),
    ({"n": 6}, "@n:[7.0 TO 10.0]", False),
    ({"n": 5}, '@n:>"40"', True),
    ({"day": "2026-11-27T10:00:00"}, "@day:[2026-11-27T09:30:00 TO *]", True),
    ({"day": "2026-11-27T10:00:00"}, "@day:[2026-11-27T10:30:00 TO *]", False),
    ({"flag": True}, "@flag:[false TO zz]", True),
    # ranges and comparisons of anything
    ({"note": "400"}, "[4 TO *]", True),
    ({"note": "400"}, '["4" TO *]', True),
    ({"note": "400"}, '["50" TO *]', False),
    ({"note": "300"}, '[* TO "4"]', True),
    ({"note": "500"}, '["1" TO "6"]', True),
    ({"note": "70"}, '["1" TO "6"]', False),
    ({"note": 70}, "[1 TO 6]", False),
    ({"note": "1"}, "{1 TO 2}", False),
    ({"note": "200"}, "{1 TO *}", True),
    ({"note": "3"}, "{* TO 3}", False),
    ({"order": {"lines": [{"price": 9}, {"price": 12}]}}, ">10", True),
    ({"order": {"lines": [{"price": 9}, {"price": 12}]}}, "*:>12", False),
    # and, or, not
    (SAID, "refund AND chargeback", True),
    (SAID, "refund AND NOT chargeback", False),
    (SAID, "voucher OR chargeback", True),
    (SAID, "voucher OR NOT chargeback", False),
    (SAID, "refund AND (voucher OR chargeback)", True),
    (SAID, "refund AND -(voucher OR chargeback)", False),
    (SAID, "voucher OR (refund AND parcel)", False),
    (SAID, "voucher OR refund AND parcel", False),
    (SAID, "refund OR voucher AND parcel", True),
    (SAID, "refund && chargeback || parcel", True),
    (SAID, "refund - parcel", True),
    (SAID, "refund - chargeback", False),
    (SAID, "+ refund", True),
    (MANY, "host:x OR ((@order.kind:gift* AND first) AND class @note:*parcel)", True),
    (MANY, "host:x OR ((@order.kind:gift* AND first) AND other @note:*parcel)", False),
]

NUMBERS = "they compare text where no facet is named; a number means the number here wherever it stands"
TAGS = "they compare tags as text; a number means the number here"
NAMES = "their names are paths of VRL, where a percent sign is an error and quotes bind; ours are plain names"

OURS: list[tuple[dict[str, Any], str, bool, str]] = [
    ({"note": "400"}, "[50 TO *]", True, NUMBERS),
    ({"note": "300"}, "[* TO 4]", False, NUMBERS),
    ({"note": "50"}, "[* TO 400]", True, NUMBERS),
    ({"note": 500}, "[1 TO 6]", False, NUMBERS),
    ({"note": "100"}, "{1 TO 2}", False, NUMBERS),
    ({"note": "200"}, "{* TO 3}", False, NUMBERS),
    (TAGGED, "weight:[50 TO *]", True, TAGS),
    (TAGGED, "weight:[* TO 5]", False, TAGS),
    (TAGGED, "weight:[* TO 1000]", True, TAGS),
    (TAGGED, "weight:[1 TO 6]", False, TAGS),
    ({"a%": 3}, "@a%:3", True, NAMES),
    ({"a-b": 1}, '@\\"a-b\\":1', False, NAMES),
    ({"tags": ["a:1"]}, "a:1", False, "tags come in ddtags from browsers; `tags` is an attribute as any other"),
    (SAID, "refund chargeback", True, "they take terms side by side for one phrase; their documents say AND"),
    (SAID, "chargebac?", True, "they do not know the question mark; their documents do"),
]


CASES = [*AGREED, *((body, text, found) for body, text, found, _ in OURS)]


def test_each_alone() -> None:
    """The table tells no case twice."""
    told = [(str(body), text) for body, text, _ in CASES]

    assert len(set(told)) == len(told)


@pytest.mark.parametrize("form", ["{}", "NOT ({})", "-({})", "- ({})", "NOT {}", "-{}"])
def test_live(form: str) -> None:
    """The live list reads each case so, whatever stands before it."""
    cases = [case for case in CASES if "(" in form or " " not in case[1]]
    wrong = [
        (text, body)
        for body, text, found in cases
        if row_test(parse_search(form.format(text)))(Row(body)) is not (found is (form == "{}"))
    ]

    assert wrong == []


def test_engine() -> None:
    """Queries read each case so, too."""
    warehouse = Warehouse(None, time.time)
    warehouse.put([Event(ts=number, body=body) for number, (body, _, _) in enumerate(CASES)])
    statement = Statement(warehouse, QueryDeadline(60))
    conditions = [statement.search(parse_search(text)) for _, text, _ in CASES]
    chosen = " ".join(f"WHEN ts = {number} THEN {condition}" for number, condition in enumerate(conditions))
    rows = statement.rows(f"SELECT CASE {chosen} END FROM events ORDER BY ts")  # noqa: S608 - made by the engine
    warehouse.close()

    wrong = [case for case, (hit,) in zip(CASES, rows, strict=True) if hit is not case[2]]
    assert wrong == []
