"""Programs that each find one old fault, which few random ones find. `mutants.py` puts the faults back."""

from __future__ import annotations

import datetime as dt
from typing import Any, TypeAlias

from django.db.models import Q

from tests.django_app.oracle.models import Gift, Item, Owner, Tag

Step: TypeAlias = tuple[str, dict[str, Any]]
"""A rule of the machine, and what it is given. Before all there is one row, and it is held."""

CARRY_ON: Step = ("enters_a_block", {})
GO_BACK: Step = ("fails", {})
COMMIT: Step = ("leaves_a_block", {})
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
A = 1
"""The owner who can be deleted; 0 is the keeper."""


def save(number: int = 0, *, note: str = "", **given: Any) -> Step:
    """Give a held instance these values and save it."""
    return "saves", {"number": number, "given": given, "note": note}


def load(number: int = 0, *only: str) -> Step:
    """Hold one more instance of a row."""
    return "loads", {"number": number, "only": only}


def make(owner: int = 0, *, model: int = 0, **given: Any) -> Step:
    """Make a row, and hold it."""
    return "makes", {"model": model, "given": given, "owner": owner, "note": ""}


def update(narrow: Any = lambda rows: rows, **given: Any) -> Step:
    """Change all rows by one statement, or those that `narrow` leaves."""
    return "updates", {"given": given, "narrow": narrow}


def delete(number: int = 0, model: Any = None) -> Step:
    """Delete a held instance, or an object that there is."""
    return (
        ("deletes", {"number": number})
        if model is None
        else ("deletes_what_there_is", {"number": number, "model": model})
    )


def relate(kind: str, action: str, other: int = 0) -> Step:
    """Change a relation of the first item."""
    return kind, {"number": 0, "peer" if kind == "peers" else "tag": other, "action": action}


PROGRAMS: dict[str, tuple[Step, ...]] = {
    "written in a block that rolls back": (CARRY_ON, save(status="paid"), GO_BACK, save(status="paid")),
    "read in a block that rolls back": (
        CARRY_ON,
        update(status="paid"),
        ("refreshes", {"number": 0, "names": None}),
        GO_BACK,
        save(status="paid"),
    ),
    "written in a savepoint that rolls back": (
        CARRY_ON,
        CARRY_ON,
        save(status="paid"),
        GO_BACK,
        save(status="sent"),
        COMMIT,
    ),
    "deleted in a block that rolls back": (load(), CARRY_ON, delete(1), GO_BACK, delete()),
    "found by a relation that may be null": (
        update(lambda rows: rows.filter(Q(owner__name="a") | Q(owner=None)).order_by("-owner__name"), status="paid"),
        update(lambda rows: rows.distinct(), status="sent"),
    ),
    "onto another row": (make(status="paid"), ("saves_onto_another_row", {"number": 0, "onto": 1})),
    "into another database, twice": (
        load(),
        ("saves_into_another_database", {"number": 0}),
        load(),
        ("saves_into_another_database", {"number": 1}),
    ),
    "deferred fields, into another database": (
        load(),
        ("saves_into_another_database", {"number": 0}),
        ("by_raw_sql", {"status": "paid"}),
        load(0, "note"),
        ("saves_into_another_database", {"number": 1}),
    ),
    "through another instance": (load(), save(1, status="paid"), save(status="sent")),
    "refreshed after raw SQL": (("by_raw_sql", {"status": "paid"}), save(status="sent")),
    "deferred, and refreshed after raw SQL": (
        load(0, "note"),
        ("updates_many_held", {"given": {"data": ["a"]}}),
        ("by_raw_sql", {"status": "sent"}),
        ("updates_many_held", {"given": {"status": "paid"}}),
    ),
    "of a deferred field": (load(0, "note"), save(1, status="paid")),
    "by an expression": (("saves_an_expression", {"number": 0}), save(total="2.25")),
    "in part": (("saves_in_part", {"number": 0, "given": {"status": "paid", "total": 1}, "name": "total"}),),
    "the same once it is stored": (
        save(total="0.00"),
        save(data={1: ("a",)}),
        save(data={"1": ["a"]}),
        save(total=1.504),
        save(total="1.50"),
        save(at=NOON),
        save(at=NOON.replace(tzinfo=None)),
        save(at=NOON.isoformat()),
    ),
    "the other side of a foreign key is deleted": (make(A), delete(A, Owner)),
    "two objects go that one row points to": (
        make(A),
        ("hands_over", {"number": 1, "owner": 2}),
        ("deletes_all_owners", {}),
        save(1, status="paid"),
    ),
    "the other side of a relation is deleted": (relate("tags", "add"), delete(0, Tag)),
    "of a symmetrical relation": (make(), relate("peers", "add", 1), relate("peers", "remove", 1)),
    "a relation from the other side": (
        relate("tags_from_the_other_side", "add"),
        relate("tags_from_the_other_side", "clear"),
    ),
    "a relation that is not there": (relate("tags", "remove"), relate("tags", "add"), relate("tags", "add")),
    "a receiver that saves again": (save(status="paid", note="again"), save(status="sent")),
    "fixtures": (("by_fixtures", {"number": 0, "given": {"status": "paid"}}), save(status="sent")),
    "update() by a nullable relation": (
        make(A),
        update(lambda rows: rows.order_by("-owner__name"), status="paid"),
        update(lambda rows: rows.reverse(), total=1),
    ),
    "update() without objects": (update(data=["a"]), save(data={}), update(data={}), update(data={}, status="paid")),
    "update() to what is there": (update(data={}), update(status="new"), update(at=None)),
    "bulk_create": (("creates_many", {"given": {"status": "paid"}}), save(1, status="sent")),
    "bulk_update of a row that is gone": (
        make(),
        load(1),
        delete(1),
        ("updates_many_held", {"given": {"status": "paid"}}),
    ),
    "two tables": (make(model=3), save(1, status="paid"), delete(0, Gift)),
    "deleted through two instances": (load(), delete(), delete()),
    "deleted through two instances, after one has looked for the row": (
        load(),
        delete(),
        ("updates_many_held", {"given": {"status": "paid"}}),
        delete(),
    ),
    "a proxy": (make(model=2), save(1, status="paid"), delete(1)),
    "what a generated column has become": (
        load(),
        save(1, stock=4),
        save(at=NOON),
        update(stock=5),
        ("updates_many_held", {"given": {"stock": 3}}),
        delete(1),
    ),
    "an unsaved value beside one that is saved": (
        ("saves_in_part", {"number": 0, "given": {"status": "paid", "stock": 4}, "name": "stock"}),
        ("saves_in_part", {"number": 0, "given": {"total": 1}, "name": "note"}),
        delete(),
    ),
    "an expression of a column that events carry": (
        ("saves_an_expression", {"number": 0}),
        save(stock=4),
        delete(),
    ),
    "values of new rows as their columns round them": (("creates_many", {"given": {"total": 1.504}}),),
    "written by a statement, then deleted": (update(status="paid"), delete()),
    "deleted, and another with its key": (load(), delete(), make(), save(status="paid"), delete(1, Item)),
}
