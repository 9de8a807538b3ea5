"""Events agree with the tables of each kind of database, after a storm too."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connections, transaction
from django.db.models import F

from dd_pa import identify
from dd_pa.emulator import Emulator
from dd_pa_django import TrackedQuerySet, get_emitter
from tests.django_app.orders.conftest import Told, queries
from tests.django_app.orders.databases import KINDS, alias_of
from tests.django_app.orders.models import Article, Customer, GiftOrder, Order, Tag
from tests.django_app.views import ViewError

THREADS = 6
ROUNDS = 40


@pytest.fixture(params=KINDS)
def using(request: pytest.FixtureRequest, tmp_path: Path, _configured: None) -> Iterator[str]:
    """The alias of a database of this test's own."""
    with alias_of(request.param, tmp_path) as alias:
        yield alias


def test_rows_and_savepoints(using: str, told: Told) -> None:
    """What is committed in this database is told, whatever happens in another one."""
    orders, customer = Order.objects.using(using), Customer.objects.using(using).create(name="Ada")
    with suppress(ViewError), transaction.atomic():  # of the default database
        with transaction.atomic(using=using):
            order = orders.create(customer=customer)
            with suppress(ViewError), transaction.atomic(using=using):
                order.status = "lost"
                order.save()
                raise ViewError
            order.status = "paid"
            with queries(2, using):  # the row's value after the rollback is read
                order.save()
            waiting = told()
        raise ViewError
    with suppress(IntegrityError, OperationalError), transaction.atomic(using=using):
        order.status = "broken"
        order.save()
        orders.create(pk=order.pk, customer=customer)
    order.delete()

    assert waiting == []
    assert told() == [
        ("order.placed", None),
        ("order.status_changed", {"status": {"old": "new", "new": "paid"}}),
        ("order.cancelled", None),
    ]


def test_bulk(using: str, told: Told, emulator: Emulator) -> None:
    """The new rows have their keys, and the old values are right."""
    orders, customer = Order.objects.using(using), Customer.objects.using(using).create(name="Ada")
    orders.bulk_create(Order(customer=customer) for _ in range(3))
    with queries(1, using):
        keys = list(orders.order_by("pk").values_list("pk", flat=True))
    placed = told()
    with queries(2, using):
        orders.filter(status="new").update(status="paid")
    with queries(2, using):
        orders.filter(customer__name="Ada").exclude(pk=keys[0]).update(status="sent")
    with queries(3, using):
        orders.update(total=F("total") + 1)

    assert placed == [("order.placed", None)] * 3
    told_keys = [event["order"]["id"] for event in emulator.events if event["event"]["name"] == "order.placed"]
    assert sorted(told_keys) == keys
    assert told() == [
        *[("order.status_changed", {"status": {"old": "new", "new": "paid"}})] * 3,
        *[("order.status_changed", {"status": {"old": "paid", "new": "sent"}})] * 2,
        *[("order.repriced", {"total": {"old": 0, "new": 1}})] * 3,
    ]


def test_bulk_change_of_two_tables(using: str, told: Told) -> None:
    """Of a child and its parent, whose rows are locked together."""
    customer = Customer.objects.using(using).create(name="Ada")
    GiftOrder._base_manager.using(using).create(customer=customer)
    gifts: TrackedQuerySet[GiftOrder] = TrackedQuerySet(GiftOrder, using=using)
    told()
    assert gifts.filter(greeting="", status="new").update(status="paid", greeting="hello") == 1

    assert told() == [("order.status_changed", {"status": {"old": "new", "new": "paid"}})]


def test_relations(using: str, emulator: Emulator) -> None:
    """The table between is of the same database."""
    article, tag = Article.objects.using(using).create(), Tag.objects.using(using).create(name="red")
    with identify(usr="u-1"):
        tag.article_set.add(article)
        article.tags.clear()

    assert get_emitter().flush(60)
    said = [event["changed"]["tags"]["action"] for event in emulator.events]
    assert sorted(said) == ["added", "cleared"]


class Actor:
    """One of many that write to the same tables at the same time; each value that it writes is written once."""

    def __init__(self, using: str, number: int, customer: Customer, shared: list[int]) -> None:
        self.using = using
        self.customer = customer
        self.shared = shared
        self.random = random.Random(number)
        self.number = number
        self.written = 0
        self.own: list[Order] = []
        self.errors: list[BaseException] = []

    def __call__(self) -> None:
        try:
            for _ in range(ROUNDS):
                act = self.random.choice([self.places, self.changes, self.changes_shared, self.updates, self.cancels])
                with suppress(ViewError, OperationalError):  # a deadlock is a rollback
                    act()
        except BaseException as error:
            self.errors.append(error)
            raise
        finally:
            connections.close_all()

    def status(self) -> str:
        self.written += 1
        return f"{self.number}.{self.written}"

    def atomic(self) -> Any:
        return transaction.atomic(using=self.using)

    def fails_at_times(self) -> None:
        if self.random.random() < 0.4:
            raise ViewError

    def places(self) -> None:
        with self.atomic():
            order = Order.objects.using(self.using).create(customer=self.customer)
            with suppress(ViewError), self.atomic():
                Order.objects.using(self.using).create(customer=self.customer)
                self.fails_at_times()
            self.fails_at_times()
        self.own.append(order)

    def changes(self) -> None:
        """The same instance goes on after a rollback, of everything or to a savepoint."""
        for order in self.own[-2:]:
            order.status = self.status()
            with self.atomic():
                with suppress(ViewError), self.atomic():
                    order.save()
                    self.fails_at_times()
                self.fails_at_times()

    def changes_shared(self) -> None:
        with self.atomic():
            order = Order.objects.using(self.using).select_for_update().get(pk=self.random.choice(self.shared))
            order.status = self.status()
            order.save()
            self.fails_at_times()

    def updates(self) -> None:
        rows = Order.objects.using(self.using).filter(pk__in=self.random.sample(self.shared, 2))
        if self.random.random() < 0.5 and connections[self.using].features.has_select_for_update:
            rows.update(status=self.status())  # takes its own transaction
            return
        with self.atomic():
            rows.update(status=self.status())
            self.fails_at_times()

    def cancels(self) -> None:
        if len(self.own) < 4:
            return
        with self.atomic():
            Order.objects.using(self.using).get(pk=self.own[0].pk).delete()
            self.fails_at_times()
        del self.own[0]


def test_storm(using: str, emulator: Emulator) -> None:
    """Threads commit, roll back and deadlock on the same rows: a row's events lead from its first value to its last."""
    customer = Customer.objects.using(using).create(name="Ada")
    shared = [Order.objects.using(using).create(customer=customer).pk for _ in range(4)]
    actors = [Actor(using, number, customer, shared) for number in range(THREADS)]
    threads = [threading.Thread(target=actor) for actor in actors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert get_emitter().flush(60)

    assert [actor.errors for actor in actors] == [[]] * THREADS
    placed, cancelled, changes = read(emulator)
    rows = dict(Order.objects.using(using).values_list("pk", "status"))
    assert len(placed) == len(set(placed)) > len(shared)
    assert set(placed) - set(cancelled) == set(rows)
    assert len(placed) - len(cancelled) == len(rows)
    assert {key: last_of(changes.get(key, [])) for key in rows} == rows


def read(emulator: Emulator) -> tuple[list[int], list[int], dict[int, list[tuple[str, str]]]]:
    """Return the keys of placed and of cancelled orders, and the changes of each."""
    placed: list[int] = []
    cancelled: list[int] = []
    changes: dict[int, list[tuple[str, str]]] = {}
    for event in emulator.events:
        match event["event"]["name"]:
            case "order.placed":
                placed.append(event["order"]["id"])
            case "order.cancelled":
                cancelled.append(event["order"]["id"])
            case _:
                status = event["changed"]["status"]
                changes.setdefault(event["order"]["id"], []).append((status["old"], status["new"]))
    return placed, cancelled, changes


def last_of(changes: list[tuple[str, str]]) -> str:
    """Follow the changes of one row from its first status; each must begin where one ended, and all must be used."""
    steps = dict(changes)
    assert len(steps) == len(changes)
    status = "new"
    while status in steps:
        status = steps.pop(status)
    assert steps == {}
    return status
