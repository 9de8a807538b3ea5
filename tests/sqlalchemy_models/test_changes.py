"""What becomes an event, and what it says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session, defer

from tests.sqlalchemy_models.conftest import Events, MakeEmitter
from tests.sqlalchemy_models.shop import (
    CardPayment,
    CashPayment,
    Customer,
    Letter,
    Line,
    Measure,
    Order,
    Parcel,
    Payment,
    Postcard,
    SilentParcel,
    Tag,
)

WHO = {"usr": {"id": "u-1"}}


def stored(session: Session, instance: Any) -> Any:
    """Commit a new object, and load it again."""
    session.add(instance)
    session.commit()
    session.refresh(instance)
    return instance


def names(happened: Events) -> list[str]:
    return [event["name"] for event in happened()]


def test_row_fires_when_it_comes_changes_and_goes(session: Session, happened: Events) -> None:
    """Columns are sent under the class's name, changes under `changed`, by the names of the Python attributes."""
    order = stored(session, Order(total=3))
    order.state = "paid"
    session.commit()
    session.delete(order)
    session.commit()

    assert happened() == [
        {"name": "order.placed", **WHO, "order": {"total": 3}},
        {"name": "order.removed", **WHO, "order": {"total": 3}},
        {
            "name": "order.state_changed",
            **WHO,
            "order": {"total": 3},
            "changed": {"state": {"old": "new", "new": "paid"}},
        },
    ]


def test_change_that_is_none_fires_nothing(session: Session, happened: Events) -> None:
    """Nor does a column that nobody follows, or an object that is only touched."""
    order = stored(session, Order())
    order.state = "new"
    order.total = 7
    session.commit()
    session.refresh(order)
    order.state = "paid"
    order.state = "new"
    session.commit()

    assert names(happened) == ["order.placed"]


def test_each_flush_has_its_own_changes(session: Session, happened: Events) -> None:
    """As two saves would on Django."""
    order = stored(session, Order())
    for state in ("paid", "shipped"):
        order.state = state
        session.flush()
    session.commit()

    assert [event["changed"]["state"] for event in happened() if "changed" in event] == [
        {"old": "new", "new": "paid"},
        {"old": "paid", "new": "shipped"},
    ]


def test_old_value_that_was_not_loaded_is_left_out(session: Session, happened: Events) -> None:
    """It would cost a query to know, and nobody asked."""
    order = Order()
    line = Line(order=order)
    session.add(line)
    session.commit()  # both objects are expired now
    order.state = "paid"
    session.commit()
    session.get(Line, line.id, populate_existing=True)
    line.note = "fragile"
    session.commit()

    changed = [event["changed"] for event in happened() if "changed" in event]
    assert changed == [{"note": {"new": "fragile"}}, {"state": {"new": "paid"}}]


def test_new_value_that_only_the_database_knows_is_left_out(session: Session, happened: Events) -> None:
    """An SQL expression is a change; what it came to is not asked."""
    order = stored(session, Order(state="paid"))
    order.state = func.upper(Order.state)
    session.commit()

    assert happened()[1]["changed"] == {"state": {"old": "paid"}}


def test_relationship_changes_its_column(session: Session, happened: Events) -> None:
    """`order.customer = …` is a change of `customer_id`, as soon as that is known."""
    order = stored(session, Order())
    order.customer = Customer()
    session.commit()
    session.refresh(order)
    order.customer = None
    session.commit()

    first = order.customer_id
    changed = [event["changed"]["customer_id"] for event in happened() if "changed" in event]
    assert first is None
    assert [(change["old"] is None, change["new"] is None) for change in changed] == [(False, True), (True, False)]


@pytest.mark.parametrize("side", ["order", "tag"])
@pytest.mark.parametrize("loaded", [pytest.param(True, id="loaded"), pytest.param(False, id="not-loaded")])
def test_many_to_many_fires_from_either_side(session: Session, happened: Events, side: str, loaded: bool) -> None:
    """With the keys that came or went; an order made with tags is placed, and not changed."""
    order, tag = stored(session, Order()), stored(session, Tag())
    if loaded:
        assert order.tags == []
    (order.tags.append(tag) if side == "order" else tag.orders.append(order))
    session.commit()
    (order.tags.remove(tag) if side == "order" else tag.orders.remove(order))
    session.commit()

    changed = [event["changed"]["tags"] for event in happened() if event["name"] == "order.tagged"]
    assert changed == [
        {"action": "added", "count": 1, "pks": [tag.id]},
        {"action": "removed", "count": 1, "pks": [tag.id]},
    ]


def test_new_members_have_their_keys(session: Session, happened: Events) -> None:
    """Which they get in the same flush."""
    order = stored(session, Order())
    order.tags.extend([Tag(), Tag()])
    session.commit()

    assert happened()[1]["changed"] == {
        "tags": {"action": "added", "count": 2, "pks": sorted(tag.id for tag in order.tags)}
    }


def test_cascades_of_the_session_fire(session: Session, happened: Events) -> None:
    """A deleted order takes its lines along, and a line without an order is an orphan."""
    order = stored(session, Order(lines=[Line(), Line(), Line()]))
    order.lines.pop()
    session.commit()
    session.delete(order)
    session.commit()

    assert names(happened) == ["line.added"] * 3 + ["line.dropped"] * 3 + ["order.placed", "order.removed"]


def test_a_deleted_row_is_told_as_it_was(session: Session, happened: Events) -> None:
    """Not with what was assigned and never written, also where that hides a value that was not loaded."""
    loaded, expired = stored(session, Postcard(text="a")), stored(session, Postcard(text="b"))
    keys = [loaded.id, expired.id]
    session.commit()
    assert loaded.text == "a"
    loaded.text = expired.text = "never sent"
    with session.no_autoflush:
        for card in (loaded, expired):
            session.delete(card)
    session.commit()

    assert [event["postcard"] for event in happened()] == [
        {"id": keys[0], "text": "a"},
        {"id": keys[1], "text": "b"},
    ]


def test_a_new_object_over_a_deleted_one(session: Session, happened: Events) -> None:
    """One flush makes one UPDATE of both: the old row is told as gone, and the new one with what it has kept of it."""
    old = stored(session, Order(total=3, number=7))
    session.delete(old)
    session.add(Order(id=old.id, state="again"))
    session.commit()

    assert happened()[1:] == [
        {"name": "order.placed", **WHO, "order": {"total": 3}},
        {"name": "order.removed", **WHO, "order": {"total": 3}},
    ]


def test_a_column_that_may_not_be_loaded(session: Session, happened: Events) -> None:
    """`raiseload` is for the application: its event says the column all the same, and the object stays as it is."""
    stored(session, Order(total=3))
    session.expunge_all()
    order = session.scalars(select(Order).options(defer(Order.total, raiseload=True))).one()
    order.state = "paid"
    session.flush()
    with pytest.raises(InvalidRequestError, match="raiseload"):
        _ = order.total
    session.commit()

    assert happened()[1]["order"] == {"total": 3}


@pytest.mark.parametrize(
    ("name", "given", "sent"),
    [
        pytest.param("count", "5", 5, id="a-text-for-a-number"),
        pytest.param("count", 5.0, 5, id="a-float-for-a-whole-number"),
        pytest.param("price", "1.50", 1.5, id="a-text-for-a-decimal"),
        pytest.param("price", 1.504, 1.5, id="rounded-by-the-column"),
        pytest.param("data", {1: ("a",)}, {"1": ["a"]}, id="what-json-has-no-form-for"),
        pytest.param("is_open", 1, True, id="a-number-for-a-boolean"),
        pytest.param("size", "LARGE", "l", id="an-enum-by-its-name"),
        pytest.param("day", dt.datetime(2026, 1, 1, 9), "2026-01-01", id="a-moment-for-a-day"),
    ],
)
def test_values_are_told_as_they_are_stored(
    session: Session, happened: Events, name: str, given: Any, sent: Any
) -> None:
    """However they were assigned, as from a form; and what is stored as the same is no change."""
    measure = stored(session, Measure(**{name: given}))
    setattr(measure, name, given)
    session.commit()
    session.refresh(measure)
    setattr(measure, name, None)
    session.commit()

    changed, made = happened()
    assert made["measure"][name] == sent
    assert changed["changed"] == {name: {"old": sent, "new": None}}


def test_inherited_events_fire_once_for_each_object(session: Session, happened: Events) -> None:
    """Whatever tables it lies in; a subclass has the events of its parents and its own."""
    payments = [Payment(amount=1), CardPayment(amount=2, digits="1"), CashPayment(amount=3)]
    session.add_all(payments)
    session.commit()
    for payment in payments:
        session.refresh(payment)
        payment.amount += 10
        if isinstance(payment, CardPayment):
            payment.digits = "2"
    session.commit()
    for payment in payments:
        session.delete(payment)
    session.commit()

    assert names(happened) == [
        "card.charged",
        "card.replaced",
        *["payment.corrected"] * 3,
        *["payment.made"] * 3,
        *["payment.voided"] * 3,
    ]


def test_heirs_of_a_mixin_fire(session: Session, happened: Events) -> None:
    """Columns are sent under the name of the heir."""
    letter = stored(session, Letter(stamp=1))
    letter.stamp = 2
    session.commit()

    assert happened() == [
        {"name": "stamped.made", **WHO, "letter": {"stamp": 1}},
        {"name": "stamped.moved", **WHO, "letter": {"stamp": 2}, "changed": {"stamp": {"old": 1, "new": 2}}},
    ]


def test_merged_and_unflushed_objects(session: Session, happened: Events) -> None:
    """`merge()` changes what is stored; `no_autoflush` only puts the events off."""
    order = stored(session, Order(total=1))
    key = order.id
    session.expunge_all()
    with session.no_autoflush:
        session.merge(Order(id=key, state="paid"))
        session.add(Order(total=2))
        session.query(Order).count()
    session.commit()

    assert names(happened) == ["order.placed", "order.placed", "order.state_changed"]


BULK: dict[str, Callable[[Session], Any]] = {
    "core-insert": lambda session: session.execute(insert(Order), [{"total": 1}, {"total": 2}]),
    "insert-returning": lambda session: session.scalars(insert(Order).returning(Order), [{"total": 1}]).all(),
    "update": lambda session: session.execute(update(Order).values(state="paid")),
    "delete": lambda session: session.execute(delete(Order)),
    "query-update": lambda session: session.query(Order).update({"state": "paid"}),
    "query-delete": lambda session: session.query(Order).delete(),
    "bulk-insert": lambda session: session.bulk_insert_mappings(Order.__mapper__, [{"total": 3}]),
    "bulk-save": lambda session: session.bulk_save_objects([Order(total=4)]),
}


@pytest.mark.parametrize("statement", BULK.values(), ids=BULK)
def test_statements_that_are_not_made_from_objects_fire_nothing(
    session: Session, happened: Events, statement: Callable[[Session], Any]
) -> None:
    """The session does not know the rows; docs/sqlalchemy.md says so, and what to do."""
    stored(session, Order())
    statement(session)
    session.commit()

    assert names(happened) == ["order.placed"]


def test_events_ask_nothing_of_the_database(session: Session, statements: list[str], happened: Events) -> None:
    """A class with events makes the statements that one without makes, from the first row to its end."""

    def life(model: type[Parcel | SilentParcel]) -> list[str]:
        statements.clear()
        parcel = model(weight=2)
        session.add(parcel)
        session.commit()
        parcel.state = "sent"
        session.commit()
        session.refresh(parcel)
        parcel.weight = 3
        session.flush()
        with session.begin_nested():
            parcel.state = "arrived"
        session.commit()
        session.delete(parcel)
        session.commit()
        return [statement.replace("silent_parcels", "parcels") for statement in statements]

    assert life(Parcel) == life(SilentParcel)
    assert names(happened) == ["parcel.lost", "parcel.moved", "parcel.moved", "parcel.packed"]


class Counted:
    """Who acts, and how often that was asked."""

    account = session = consent = None

    def __init__(self) -> None:
        self.asked = 0

    @property
    def usr(self) -> str:
        self.asked += 1
        return f"u-{self.asked}"


def test_who_acts_is_found_out_once_in_a_flush(session: Session, happened: Events, make_emitter: MakeEmitter) -> None:
    """However many rows it writes; the next flush asks anew."""
    who = Counted()
    make_emitter(who)
    orders = [Order(total=number) for number in range(10)]
    session.add_all(orders)
    session.commit()
    for order in orders:
        order.state = "paid"
    session.commit()

    assert [(event["name"], event["usr"]["id"]) for event in happened()] == [
        *[("order.placed", "u-1")] * 10,
        *[("order.state_changed", "u-2")] * 10,
    ]
    assert who.asked == 2
