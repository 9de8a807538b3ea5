"""A row that is made, changed or deleted tells so, with whose it is, and only if it really was."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction

from dd_pa import identify
from dd_pa_django import get_emitter
from tests.django_app.conftest import Configure, Events
from tests.django_app.orders.conftest import Told, queries
from tests.django_app.orders.models import Coupon, Customer, Message, Order
from tests.django_app.views import ViewError


def test_created(customer: Customer, events: Events) -> None:
    """With the attributes and the owner that the declaration names."""
    order = Order.objects.create(customer=customer)

    assert events() == [
        {
            "event": {"name": "order.placed"},
            "usr": {"id": str(customer.pk)},
            "account": {"id": "acme"},
            "order": {"id": order.pk, "status": "new"},
        }
    ]


def test_changed_field(order: Order, told: Told) -> None:
    """Old and new value of the named field, and nothing of others."""
    order.status = "paid"
    order.note = "secret"
    order.save()

    assert told() == [("order.status_changed", {"status": {"old": "new", "new": "paid"}})]


def test_several_changed_fields(order: Order, customer: Customer, told: Told) -> None:
    """An event for each declared one; a foreign key is told by its key."""
    other = Customer.objects.create(name="Grace")
    order.status, order.total, order.customer = "paid", Decimal("12.50"), other
    order.save()

    assert told() == [
        ("order.status_changed", {"status": {"old": "new", "new": "paid"}}),
        ("order.repriced", {"total": {"old": 0, "new": 12.5}}),
        ("order.handed_over", {"customer": {"old": customer.pk, "new": other.pk}}),
    ]


def test_deleted(order: Order, customer: Customer, told: Told) -> None:
    """By the instance, by a queryset, and with what it belongs to."""
    others = [Order.objects.create(customer=customer) for _ in range(3)]
    told()
    order.delete()
    Order.objects.filter(pk=others[0].pk).delete()
    customer.delete()

    assert told() == [("order.cancelled", None)] * 4


def test_unchanged_row_tells_nothing(order: Order, told: Told) -> None:
    """Nor does a change of another field, or the same value in other clothes."""
    order.save()
    order.total = "0.00"  # what a form may leave there
    order.note = "to be called"
    order.save()

    assert told() == []


def test_saved_twice(order: Order, told: Told) -> None:
    """Each save is compared with the one before, in one transaction too."""
    with transaction.atomic():
        order.status = "paid"
        order.save()
        order.save()
        order.status = "sent"
        order.save()

    assert told() == [
        ("order.status_changed", {"status": {"old": "new", "new": "paid"}}),
        ("order.status_changed", {"status": {"old": "paid", "new": "sent"}}),
    ]


def test_update_fields(order: Order, told: Told) -> None:
    """What is not written is not told, until it is."""
    order.status, order.total = "paid", Decimal(5)
    order.save(update_fields=["total", "note"])
    before = told()
    order.save()

    assert before == [("order.repriced", {"total": {"old": 0, "new": 5}})]
    assert told() == [("order.status_changed", {"status": {"old": "new", "new": "paid"}})]


@pytest.mark.parametrize("name", ["customer", "customer_id"])
def test_update_fields_name_a_foreign_key_either_way(order: Order, told: Told, name: str) -> None:
    """As Django takes both."""
    order.customer = Customer.objects.create(name="Grace")
    order.save(update_fields=[name])

    assert [name for name, _ in told()] == ["order.handed_over"]


def test_rolled_back(order: Order, told: Told) -> None:
    """Nothing happened; saving the same instance again is the change, from the value that the row really has."""
    order.status = "paid"
    with suppress(ViewError), transaction.atomic():
        order.save()
        raise ViewError
    before = told()
    order.save()

    assert before == []
    assert told() == [("order.status_changed", {"status": {"old": "new", "new": "paid"}})]


def test_rolled_back_to_a_savepoint(order: Order, told: Told) -> None:
    """Inside of the same transaction, and after it."""
    with transaction.atomic():
        order.status = "paid"
        order.save()
        with suppress(ViewError), transaction.atomic():
            order.status = "sent"
            order.save()
            raise ViewError
        order.save()
    order.status = "returned"
    order.save()

    assert [changed["status"] for _, changed in told()] == [
        {"old": "new", "new": "paid"},
        {"old": "paid", "new": "sent"},
        {"old": "sent", "new": "returned"},
    ]


def test_row_of_a_rolled_back_creation(customer: Customer, told: Told) -> None:
    """The next save makes it for real."""
    order = Order(customer=customer)
    with suppress(ViewError), transaction.atomic():
        order.save()
        raise ViewError
    order.status = "paid"
    order.save()

    assert told() == [("order.placed", None)]


def test_saved_by_another_commit_hook(order: Order, told: Told) -> None:
    """Hooks that were registered before the change run before ours: the change is not told twice."""
    with transaction.atomic():
        transaction.on_commit(order.save)
        order.status = "paid"
        order.save()

    assert told() == [("order.status_changed", {"status": {"old": "new", "new": "paid"}})]


def test_failing_deletion(order: Order, told: Told) -> None:
    """What could not be deleted was not cancelled."""

    with suppress(IntegrityError), transaction.atomic():
        order.delete()
        raise IntegrityError

    assert told() == []


def test_nobody_to_link_to(told: Told) -> None:
    """Jobs and the shell change rows too: without an identity the event is counted, never an error."""
    Order.objects.create()

    assert told() == []
    assert get_emitter().stats().dropped == {"unlinked": 1}


def test_identity_of_a_job(events: Events) -> None:
    """`identify()` links what the declaration leaves open."""
    with identify(usr="u-9", session="2b1b778e-9ef6-45d6-89b8-e68ca6ceb436"):
        Order.objects.create()

    assert [event["usr"] for event in events()] == [{"id": "u-9"}]


def test_identity_of_another_user(customer: Customer, events: Events) -> None:
    """The declared owner wins over who acts, and does not get the other's browser session."""
    session = "2b1b778e-9ef6-45d6-89b8-e68ca6ceb436"
    with identify(usr="clerk", account="back office", session=session):
        Order.objects.create(customer=customer)
    with identify(usr=customer.pk, session=session):
        Order.objects.create(customer=customer)

    linked: list[dict[str, Any]] = [
        {key: event[key]["id"] for key in ("usr", "account", "session") if key in event} for event in events()
    ]
    assert linked == [
        {"usr": str(customer.pk), "account": "acme"},
        {"usr": str(customer.pk), "account": "acme", "session": session},
    ]


def test_no_query_for_an_event(customer: Customer, told: Told) -> None:
    """Making, loading, changing and saving take the queries that they always took."""
    with queries(1):
        order = Order.objects.create(customer=customer)
    with queries(1):
        order = Order.objects.get(pk=order.pk)
    with queries(1):
        order.status = "paid"
        order.save()
    with queries(1):
        order.save(update_fields=["status"])
    with queries(2):  # from its own table and from that of gift orders
        order.delete()

    assert [name for name, _ in told()] == ["order.placed", "order.status_changed", "order.cancelled"]


def test_model_without_deletion_is_deleted_as_ever(told: Told) -> None:
    """Django reads no row before it deletes, which a receiver of its signals would make it do."""
    with identify(usr="u-1"):
        Coupon.objects.create(code="A")
        with queries(1) as statements:
            Coupon.objects.all().delete()

    assert [statement.split()[0] for statement in statements] == ["DELETE"]
    assert told() == [("coupon.issued", None)]


def test_disabled(order: Order, configure: Configure, told: Told) -> None:
    """Nothing is built, read or sent."""
    configure(ENABLED=False)
    with queries(2):
        deferred = Order.objects.defer("status").get()
        deferred.status = "paid"
        deferred.save()

    configure()
    assert told() == []


def test_fixtures_tell_nothing(order: Order, told: Told, tmp_path: Any) -> None:
    """`loaddata` copies rows: nobody placed these orders."""
    path = tmp_path / "orders.json"
    call_command("dumpdata", "orders", output=str(path), verbosity=0)
    Customer.objects.all().delete()
    told()
    call_command("loaddata", str(path), verbosity=0)

    assert Order.objects.get().pk == order.pk
    assert told() == []


def test_model_with_no_declaration_is_left_alone(told: Told) -> None:
    """Nothing is connected, nothing is kept."""
    message = Message.objects.create()
    message.text = "hello"
    message.save()

    assert "dd_pa_snapshot" not in vars(message._state)
    assert told() == []
