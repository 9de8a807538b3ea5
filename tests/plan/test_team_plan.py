"""A team's plan of sixty events, changed in twenty ways, with the verdicts that a reader of funnels would give."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec
import pytest

from dd_pa.plan.changes import changes
from dd_pa.plan.model import Plan

TODAY = date(2026, 11, 27)
SUBJECTS = (
    *("account", "cart", "checkout", "invoice", "order", "parcel"),
    *("payment", "plan", "product", "search", "team", "user"),
)
VERBS = ("started", "completed", "failed", "viewed", "changed")
Json = dict[str, Any]


def typed(*kinds: str, **rest: Any) -> Json:
    return {"types": [{"kind": kind} for kind in kinds], **rest}


def fields_of(subject: str, verb: str) -> Json:
    """Return what such an event would carry: an object of the subject, and what the verb is about."""
    inside = {"id": typed("text"), "total": typed("number"), "note": typed("null", "text", required=False)}
    line = {"sku": typed("text"), "count": typed("integer")}
    own: Json = {
        subject: {"types": [{"kind": "object", "fields": inside}]},
        "lines": {"types": [{"kind": "list", "items": [{"kind": "object", "fields": line}]}], "required": False},
    }
    if verb == "failed":
        own["reason"] = {"types": [{"kind": "text", "values": ["declined", "expired", "timeout"]}]}
    if verb == "changed":
        own["email"] = typed("text", personal=True)
        own["old"] = {**typed("text", required=False), "deprecated": {"until": "2026-06-30"}}
    return own


def team_plan() -> Json:
    return {
        f"{subject}.{verb}": {
            "name": f"{subject}.{verb}",
            "fields": fields_of(subject, verb),
            "description": f"A {subject} was {verb}.",
            "owner": f"team-{subject}",
        }
        for subject in SUBJECTS
        for verb in VERBS
    }


def rename(plan: Json, old: str, new: str) -> None:
    plan[new] = {**plan.pop(old), "name": new}


def field(plan: Json, event: str, *path: str) -> Json:
    """Return a field, by the names that lead to it."""
    found: Json = plan[event]["fields"][path[0]]
    for name in path[1:]:
        kind = found["types"][0]
        found = (kind["items"][0] if kind["kind"] == "list" else kind)["fields"][name]
    return found


def inside(plan: Json, event: str, name: str) -> Json:
    fields: Json = field(plan, event, name)["types"][0]["fields"]
    return fields


def rename_total(plan: Json) -> None:
    fields = inside(plan, "order.completed", "order")
    fields["total_eur"] = fields.pop("total")


def list_parcels(plan: Json) -> None:
    parcel = field(plan, "parcel.viewed", "parcel")
    parcel["types"] = [{"kind": "list", "items": parcel["types"]}]


def retyped(event: str, *path: str, **changes: Any) -> Callable[[Json], None]:
    """Return what changes one field."""
    return lambda plan: field(plan, event, *path).update(changes)


def reasons(*values: str) -> Json:
    return {"types": [{"kind": "text", "values": list(values)}]}


def convert_order_totals(plan: Json) -> None:
    """One decision in five events: from euros to a text with a currency."""
    for verb in VERBS:
        field(plan, f"order.{verb}", "order", "total")["types"] = [{"kind": "text"}]


BREAKS, FINE = True, False
WAYS: list[tuple[str, Callable[[Json], Any], list[tuple[str, str, bool]]]] = [
    ("an event more", lambda p: p.update({"order.sent": {"name": "order.sent"}}), [("order.sent", "", FINE)]),
    ("an event less", lambda p: p.pop("cart.viewed"), [("cart.viewed", "", BREAKS)]),
    ("an event renamed", lambda p: rename(p, "order.completed", "order.placed"), [("order.completed", "", BREAKS)]),
    ("a field more", lambda p: p["cart.viewed"]["fields"].update(tier=typed("text")), [("cart.viewed", "tier", FINE)]),
    ("a field less", lambda p: p["payment.failed"]["fields"].pop("reason"), [("payment.failed", "reason", BREAKS)]),
    ("a field less, as agreed", lambda p: p["user.changed"]["fields"].pop("old"), [("user.changed", "old", FINE)]),
    ("a field renamed deep inside", rename_total, [("order.completed", "order.total", BREAKS)]),
    (
        "another type",
        retyped("invoice.viewed", "invoice", "id", **typed("integer")),
        [("invoice.viewed", "invoice.id", BREAKS)],
    ),
    (
        "one decision in many events",
        convert_order_totals,
        [(f"order.{verb}", "order.total", BREAKS) for verb in sorted(VERBS)],
    ),
    ("always there no more", retyped("cart.started", "cart", required=False), [("cart.started", "cart", BREAKS)]),
    ("always there from now on", retyped("cart.started", "lines", required=True), [("cart.started", "lines", FINE)]),
    (
        "null, too",
        retyped("team.viewed", "team", "total", **typed("null", "number")),
        [("team.viewed", "team.total", BREAKS)],
    ),
    ("null no more", retyped("team.viewed", "team", "note", **typed("text")), [("team.viewed", "team.note", FINE)]),
    (
        "a reason more",
        retyped("payment.failed", "reason", **reasons("declined", "expired", "fraud", "timeout")),
        [("payment.failed", "reason", BREAKS)],
    ),
    (
        "a reason less",
        retyped("payment.failed", "reason", **reasons("declined", "expired")),
        [("payment.failed", "reason", FINE)],
    ),
    (
        "whole numbers become numbers",
        retyped("order.completed", "lines", "count", **typed("number")),
        [("order.completed", "lines[].count", BREAKS)],
    ),
    (
        "numbers become whole numbers",
        retyped("order.completed", "order", "total", **typed("integer")),
        [("order.completed", "order.total", FINE)],
    ),
    (
        "personal data from now on",
        retyped("user.viewed", "user", "id", personal=True),
        [("user.viewed", "user.id", BREAKS)],
    ),
    ("one object becomes a list of them", list_parcels, [("parcel.viewed", "parcel", BREAKS)]),
    (
        "other words, another owner",
        lambda p: p["plan.viewed"].update(owner="growth", description="Seen."),
        [("plan.viewed", "", FINE)] * 2,
    ),
]


@pytest.mark.parametrize(("change", "verdicts"), [way[1:] for way in WAYS], ids=[way[0] for way in WAYS])
def test_verdicts(change: Callable[[Json], Any], verdicts: list[tuple[str, str, bool]]) -> None:
    """It names the event and the path, and says whether it breaks a reader; of the other 59 events it says nothing."""
    before, after = team_plan(), team_plan()
    change(after)
    old, new = (Plan(msgspec.convert({"events": plan}, Plan).events) for plan in (before, after))

    assert len(old.events) == 60
    assert len(WAYS) == 20
    assert [(found.event, found.path, found.is_breaking) for found in changes(old, new, TODAY)] == verdicts
