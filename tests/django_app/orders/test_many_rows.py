"""Operations on many rows do no more than they must, and tell the same whichever way they do it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Concat
from django.db.models.signals import post_init
from django.test import RequestFactory

from dd_pa import EventDraft, EventError, identify
from dd_pa.testing import capture_events
from dd_pa_django import track_model
from dd_pa_django.identity import serving
from dd_pa_django.model_events import registry
from dd_pa_django.model_events.row_memory import MANY_ROWS, MAX_ROWS, KnownState
from dd_pa_django.transaction_block import blocks_of
from tests.django_app.conftest import Configure, Events
from tests.django_app.orders.conftest import Told, queries
from tests.django_app.orders.databases import KINDS, alias_of
from tests.django_app.orders.models import Coupon, Crate, Customer, Order, Parcel

Rows = QuerySet[Any]

FREIGHT: list[Any] = [Parcel, Crate]
"""Declared alike, but for objects of the one callables ask."""

NARROW: dict[str, Callable[[Rows], Rows]] = {
    "all": lambda rows: rows,
    "reverse": lambda rows: rows.reverse(),
    "filter": lambda rows: rows.filter(status="new"),
    "join": lambda rows: rows.filter(customer__name="Ada"),
    "exclude": lambda rows: rows.exclude(weight=1).select_related("customer"),
    "annotation": lambda rows: rows.annotate(more=F("weight") + 1).filter(more__gt=1).order_by("more"),
    "only": lambda rows: rows.only("data").distinct(),
    "none": lambda rows: rows.none(),
}


@pytest.fixture(params=KINDS)
def using(request: pytest.FixtureRequest, tmp_path: Path, _configured: None) -> Iterator[str]:
    """A database of a test's own on each kind of server."""
    with alias_of(request.param, tmp_path) as alias:
        yield alias


@contextmanager
def objects_made(model: type[Any]) -> Iterator[list[Any]]:
    """Collect the objects of a model that the block makes."""
    made: list[Any] = []

    def note(instance: Any, **kwargs: Any) -> None:
        made.append(instance)

    post_init.connect(note, sender=model)
    try:
        yield made
    finally:
        post_init.disconnect(note, sender=model)


@pytest.mark.parametrize("narrow", NARROW.values(), ids=NARROW)
def test_update_by_values_tells_what_one_by_objects_does(
    using: str, narrow: Callable[[Rows], Rows], events: Events
) -> None:
    """Whether a callable wants to see the objects changes nothing but the cost."""
    ada, grace = (Customer.objects.using(using).create(name=name) for name in ("Ada", "Grace"))
    changes: list[dict[str, Any]] = [
        {"status": "paid"},
        {"status": "paid", "weight": "2.50"},
        {"weight": 1.504, "customer": grace},
        {"weight": F("weight") + 1, "status": Concat(F("status"), Value("!"))},
        {"customer_id": ada.pk, "data": {1: ("a",)}},
        {"data": {"1": ["a"]}, "customer": None},
        {"status": "sent"},
    ]
    stories = []
    for Model in FREIGHT:  # noqa: N806 - a class
        began = len(events())
        with identify(usr="u-1"):
            Model.objects.using(using).bulk_create(
                [
                    Model(status="new", customer=ada),
                    Model(status="paid", weight=1, customer=grace, data={"b": 2}),
                    Model(status="sent"),
                ]
            )
            counts = [narrow(Model.objects.using(using)).update(**values) for values in changes]
        told = [{**event, "dd_pa": None} for event in events()[began:]]
        stories.append((counts, told))

    assert stories[0] == stories[1]


def test_no_objects_are_made_for_an_update(told: Told, customer: Customer) -> None:
    """Two queries for any number of rows, three with an expression; objects only for callables that ask for them."""
    for Model in FREIGHT:  # noqa: N806 - a class
        with identify(usr="u-1"):
            Model.objects.bulk_create([Model(customer=customer) for _ in range(20)])
            told()
            with objects_made(Model) as made, queries(2):
                Model.objects.update(status="paid")
            with objects_made(Model) as made_again, queries(3):
                Model.objects.update(weight=F("weight") + 1)
        expected = 0 if Model is Parcel else 20

        assert [name for name, _ in told()] == ["freight.paid"] * 20 + ["freight.weighed"] * 20
        assert (len(made), len(made_again)) == (expected, expected)


def test_who_acts_is_found_out_once(configure: Configure, events: Events) -> None:
    """Of many rows that one operation is about, by the first event; each operation asks anew."""
    asked = []

    def user_id(request: Any) -> str:
        asked.append(request)
        return f"u-{len(asked)}"

    configure(USER_ID=user_id)
    with serving(RequestFactory().get("/")):
        parcels = Parcel.objects.bulk_create([Parcel() for _ in range(10)])
        Parcel.objects.update(status="paid")
        Parcel.objects.bulk_update([_with(parcel, weight=2) for parcel in parcels], ["weight"])

    assert [event["usr"]["id"] for event in events()] == [user for user in ("u-1", "u-2", "u-3") for _ in range(10)]
    assert len(asked) == 3


def test_a_failing_look_at_who_acts_is_counted_for_each_event(configure: Configure, events: Events) -> None:
    """As it is for single events: what could not be found out for all of them together is asked for again."""
    asked = []

    def user_id(request: Any) -> str:
        asked.append(request)
        if len(asked) <= 2:
            raise LookupError
        return "u-1"

    configure(USER_ID=user_id, STRICT=False)
    with serving(RequestFactory().get("/")):
        Parcel.objects.bulk_create([Parcel() for _ in range(3)])

    assert [event["usr"]["id"] for event in events()] == ["u-1", "u-1"]
    assert len(asked) == 3


def test_the_events_of_an_operation_wait_as_one(events: Events) -> None:
    """One entry for the commit, whatever the number of rows; none after a rollback to a savepoint."""
    with identify(usr="u-1"), transaction.atomic():
        Parcel.objects.bulk_create([Parcel() for _ in range(5)])
        with suppress(ImproperlyConfigured), transaction.atomic():
            Parcel.objects.update(status="paid")
            raise ImproperlyConfigured
        Parcel.objects.update(status="sent")
        [block] = blocks_of(connection)
        waiting = len(list(block.waiting))

    assert waiting == 2
    assert [event["event"]["name"] for event in events()] == ["freight.made"] * 5 + ["freight.sent"] * 5


@pytest.mark.usefixtures("_configured")
@pytest.mark.parametrize("rows", [3, MANY_ROWS + 1, MAX_ROWS + 100])
def test_what_is_known_of_rows_that_an_update_changes_is_past(rows: int) -> None:
    """However many they are: the old value of the next save is the one that was replaced."""
    with capture_events() as events, identify(usr="u-1"):
        Parcel.objects.bulk_create([Parcel() for _ in range(rows)])
        first = Parcel.objects.order_by("pk").first()
        assert first is not None
        Parcel.objects.update(status="paid")
        first.status = "sent"
        with queries(2):
            first.save()

    assert len(events) == rows * 2 + 1
    assert events[-1].attributes["changed"] == {"status": {"old": "paid", "new": "sent"}}


def test_a_row_made_again_is_not_the_one_that_was_known(told: Told) -> None:
    """By `bulk_create` with the key of a deleted row, either."""
    with identify(usr="u-1"):
        old = Order.objects.create(status="paid")
        Order.objects.get(pk=old.pk).delete()
        Order.objects.bulk_create([Order(pk=old.pk, status="new")])
        told()
        old.save()

    assert told() == [("order.status_changed", {"status": {"old": "new", "new": "paid"}})]


def test_an_unchanged_save_remembers_nothing_anew(order: Order, told: Told) -> None:
    """It takes the query that it always took, and one comparison."""
    loaded = Order.objects.get(pk=order.pk)
    before = vars(loaded._state)["dd_pa_known"]
    with queries(1):
        loaded.save()

    assert vars(loaded._state)["dd_pa_known"] is before
    assert told() == []


def test_only_followed_models_are_remembered(customer: Customer, told: Told) -> None:
    """Of a model with no field to follow, loading keeps nothing."""
    Coupon.objects.create(code="a")
    coupon, loaded = Coupon.objects.get(), Customer.objects.get()

    assert not any(isinstance(item._state, KnownState) for item in (coupon, loaded))


def test_a_callable_that_fails_takes_no_other_event_along(configure: Configure, events: Events) -> None:
    """In strict mode, if the application goes on with the transaction, where no database forbids that."""

    def fail(order: Order) -> None:
        if order.status == "bad":
            raise ZeroDivisionError

    configure(STRICT=True)
    with _declared_too(Crate, created="crate.made", identity=fail), identify(usr="u-1"), transaction.atomic():
        with pytest.raises(ZeroDivisionError):
            Crate.objects.bulk_create([Crate(status="good"), Crate(status="bad")])
        transaction.set_rollback(False)

    assert [event["event"]["name"] for event in events()] == ["freight.made", "crate.made", "freight.made"]


def test_what_before_send_changes_is_one_event_only(configure: Configure, events: Events) -> None:
    """Also inside of a change that many rows have in common."""

    def censor(draft: EventDraft) -> EventDraft:
        for entry in draft.attributes.get("changed", {}).values():
            entry["old"] = f"was {entry['old']}"
            if isinstance(entry["new"], list):
                entry["new"].append(len(entry["new"]))
        return draft

    configure(BEFORE_SEND=censor)
    with identify(usr="u-1"):
        Parcel.objects.bulk_create([Parcel(status="new") for _ in range(3)])
        Parcel.objects.update(status="paid", data=["a"])
    told = [event["changed"] for event in events() if "changed" in event]

    assert [change["status"] for change in told if "status" in change] == [{"old": "was new", "new": "paid"}] * 3
    assert [change["data"] for change in told if "data" in change] == [{"old": "was {}", "new": ["a", 1]}] * 3


def test_events_of_one_operation_that_cannot_be_built(configure: Configure) -> None:
    """Each says so: the first in strict mode."""
    configure(STRICT=True)
    with identify(usr="u-1"), pytest.raises(EventError, match="1 to 512"), _declared_too(Crate, created="x" * 600):
        Crate.objects.bulk_create([Crate()])


@contextmanager
def _declared_too(model: type[Any], **options: Any) -> Iterator[None]:
    track_model(model, **options)
    try:
        yield
    finally:
        registry._declared[model].pop()
        registry._follow(registry._watch(model))


def _with(item: Any, **values: Any) -> Any:
    for name, value in values.items():
        setattr(item, name, value)
    return item
