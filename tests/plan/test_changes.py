"""What a change of the plan is to those who read its events."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec
import pytest

from dd_pa import Deprecated
from dd_pa.plan.changes import changes
from dd_pa.plan.model import Field, Plan, PlannedEvent, Type

TODAY = date(2026, 11, 27)
TEXT, NULL, INTEGER, NUMBER, BOOLEAN, ANY = (
    Type(kind=kind) for kind in ("text", "null", "integer", "number", "boolean", "any")
)
OLD = Deprecated("2027-01-01", use="y")
DAY, MOMENT = Type(kind="text", format="date"), Type(kind="text", format="date-time")


def one_of(*values: str) -> Type:
    return Type(kind="text", values=values)


def a_list(*items: Type) -> Type:
    return Type(kind="list", items=items)


def an_object(**fields: Field | Type) -> Type:
    return Type(
        kind="object",
        fields={name: given if isinstance(given, Field) else Field(types=(given,)) for name, given in fields.items()},
    )


def plan(**fields: Field | Type) -> Plan:
    return Plan({"order.paid": PlannedEvent(name="order.paid", fields=an_object(**fields).fields)})


def verdicts(before: Plan, after: Plan) -> list[str]:
    return [str(change) for change in changes(before, after, TODAY)]


def field(*types: Type, **rest: Any) -> Field:
    return Field(types=types, **rest)


@pytest.mark.parametrize(
    ("before", "after", "is_breaking", "reason"),
    [
        (TEXT, INTEGER, True, "was a text, and is a whole number now"),
        (INTEGER, NUMBER, True, "was a whole number, and is a number now"),
        (NUMBER, INTEGER, False, "is always a whole number now"),
        (TEXT, field(NULL, TEXT), True, "may be null now, too"),
        (field(NULL, TEXT), TEXT, False, "is never null any more"),
        (TEXT, field(TEXT, INTEGER), True, "may be a whole number now, too"),
        (field(TEXT, INTEGER), TEXT, False, "is never a whole number any more"),
        (field(INTEGER, TEXT), field(NUMBER, TEXT), True, "may be a number now, too"),
        (TEXT, field(TEXT, required=False), True, "was required, and may be left out now"),
        (field(TEXT, required=False), TEXT, False, "is required now"),
        (one_of("a"), one_of("a", "b"), True, "may be 'b' now, too: filters and groups by its values do not know it"),
        (one_of("a", "b"), one_of("a"), False, "is never 'b' any more"),
        (TEXT, one_of("a"), False, "was a text, and is one of 'a' now"),
        (one_of("a"), TEXT, True, "was one of 'a', and is a text now"),
        (TEXT, DAY, False, "was a text, and is a date now"),
        (DAY, TEXT, True, "was a date, and is a text now"),
        (DAY, MOMENT, True, "was a date, and is a date with time now"),
        (TEXT, a_list(TEXT), True, "was a text, and is a list of a text now"),
        (a_list(TEXT), a_list(INTEGER), True, "was a text, and is a whole number now"),
        (NUMBER, an_object(amount=NUMBER), True, "was a number, and is an object now"),
        (TEXT, ANY, True, "was a text, and may be anything now"),
        (ANY, TEXT, False, "was anything, and is a text now"),
        (TEXT, field(TEXT, personal=True), True, "is personal data now: it is left out or hashed"),
        (field(TEXT, personal=True), TEXT, True, "is no personal data any more"),
        (TEXT, field(TEXT, description="x"), False, "has another description"),
        (TEXT, field(TEXT, deprecated=OLD), False, "is deprecated until 2027-01-01; use y"),
        (field(TEXT, deprecated=OLD), TEXT, False, "is deprecated no more"),
        (Type(kind="integer", limits={"minimum": 1}), INTEGER, False, "has other limits: minimum 1 before, none now"),
    ],
)  # fmt: skip
def test_a_field_changes(before: Any, after: Any, is_breaking: bool, reason: str) -> None:
    """Each change has one verdict, its path and its reason."""
    (change,) = changes(plan(total=before), plan(total=after), TODAY)

    assert (change.event, change.path.removesuffix("[]"), change.is_breaking) == ("order.paid", "total", is_breaking)
    assert change.reason.startswith(reason)


def test_nothing_changes() -> None:
    """The order of fields is nothing that a reader sees."""
    assert changes(plan(a=TEXT, b=INTEGER), plan(b=INTEGER, a=TEXT), TODAY) == []


def test_fields_come_and_go() -> None:
    """A new one breaks nobody; one that is gone does."""
    assert verdicts(plan(a=TEXT), plan(a=TEXT, b=INTEGER)) == ["compatible  order.paid: b is new"]
    assert verdicts(plan(a=TEXT, b=INTEGER), plan(a=TEXT)) == [
        "BREAKING    order.paid: b was removed: what filters or groups by it fails"
    ]


def test_a_field_is_renamed() -> None:
    """It is told from one that goes beside one that comes, by its type and name."""
    assert verdicts(plan(total=NUMBER, coupon=TEXT), plan(total=NUMBER, coupon_code=TEXT)) == [
        "BREAKING    order.paid: coupon was renamed to coupon_code: "
        "what filters or groups by the old name finds nothing more"
    ]
    assert [change.is_breaking for change in changes(plan(a=TEXT), plan(b=INTEGER), TODAY)] == [True, False]


def test_a_value_is_renamed() -> None:
    """Both halves break: the new value is unknown, and what filters by the old one finds nothing."""
    found = changes(plan(state=one_of("new", "paid")), plan(state=one_of("new", "settled")), TODAY)

    assert [(change.path, change.is_breaking) for change in found] == [("state", True), ("state", True)]


def test_paths_lead_inside() -> None:
    """Into objects, lists and maps."""

    def deep(kind: Type) -> Plan:
        inside = a_list(an_object(prices=Type(kind="map", items=(an_object(net=kind),))))
        return plan(order=an_object(lines=inside))

    (change,) = changes(deep(NUMBER), deep(TEXT), TODAY)

    assert change.path == "order.lines[].prices.*.net"


def events(**named: PlannedEvent) -> Plan:
    return Plan({name: msgspec.structs.replace(event, name=name) for name, event in named.items()})


PAID = PlannedEvent(name="", description="A customer has paid.", owner="shop", fields={"total": field(NUMBER)})
SENT = PlannedEvent(name="", description="A parcel has left.", fields={"weight": field(NUMBER), "to": field(TEXT)})


def test_events_come_and_go() -> None:
    """As fields do."""
    assert verdicts(events(paid=PAID), events(paid=PAID, sent=SENT)) == ["compatible  sent is new"]
    assert verdicts(events(paid=PAID, sent=SENT), events(paid=PAID)) == [
        "BREAKING    sent was removed: funnels and searches find no more"
    ]


def test_an_event_is_renamed() -> None:
    """It is known by its fields or its description, and compared with what it was."""
    other = msgspec.structs.replace(PAID, fields={"total": field(NUMBER), "coupon": field(TEXT)})

    assert verdicts(events(paid=PAID, sent=SENT), events(paid_up=other, sent=SENT)) == [
        "BREAKING    paid was renamed to paid_up: what looks for the old name finds nothing more",
        "compatible  paid_up: coupon is new",
    ]


def test_words_about_an_event() -> None:
    """Owner, description and deprecation are agreed on too, and break nobody."""
    replace: Callable[..., PlannedEvent] = msgspec.structs.replace
    other = replace(PAID, owner="billing", description="Paid.", deprecated=Deprecated("2027-01-31", use="settled"))

    assert verdicts(events(paid=PAID), events(paid=other)) == [
        "compatible  paid has another description",
        "compatible  paid has another owner",
        "compatible  paid is deprecated until 2027-01-31; use settled",
    ]


def test_what_was_deprecated_goes() -> None:
    """After its day it may; before, readers were promised it."""
    before = events(paid=msgspec.structs.replace(PAID, deprecated=Deprecated("2026-11-27")), sent=SENT)
    early = events(paid=msgspec.structs.replace(PAID, deprecated=Deprecated("2026-11-28")), sent=SENT)

    assert verdicts(before, events(sent=SENT)) == ["compatible  paid was removed; it was deprecated until 2026-11-27"]
    assert [change.is_breaking for change in changes(early, events(sent=SENT), TODAY)] == [True]
    gone = plan(b=TEXT), plan(a=field(INTEGER, deprecated=Deprecated("2026-01-01")), b=TEXT)
    assert [change.is_breaking for change in changes(gone[1], gone[0], TODAY)] == [False]
