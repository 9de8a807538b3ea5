"""Bulk changes, for which Django has no signal, through the opt-in queryset."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet

from dd_pa import identify
from dd_pa_django import TrackedQuerySet
from tests.django_app.conftest import Configure
from tests.django_app.orders.conftest import Told, queries
from tests.django_app.orders.models import Article, Coupon, Customer, GiftOrder, Order
from tests.django_app.views import ViewError


@pytest.fixture
def orders(customer: Customer, told: Told) -> list[Order]:
    """Three orders, one of them paid."""
    made = [Order.objects.create(customer=customer, status=status) for status in ("new", "new", "paid")]
    told()
    return made


def changed_to(status: str, *old: str) -> list[tuple[str, object]]:
    return [("order.status_changed", {"status": {"old": value, "new": status}}) for value in old]


def test_update(orders: list[Order], told: Told) -> None:
    """An event for each row that differs afterwards, for one more query."""
    with queries(2):
        count = Order.objects.update(status="paid", note="all of them")

    assert count == 3
    assert told() == changed_to("paid", "new", "new")


def test_update_of_other_fields_costs_nothing(orders: list[Order], told: Told) -> None:
    """Rows are read only if one of their events may come of it."""
    with queries(1):
        Order.objects.update(note="all of them")

    assert told() == []


def test_update_by_an_expression(orders: list[Order], told: Told) -> None:
    """What the database computed is read again."""
    with queries(3):
        Order.objects.filter(pk=orders[0].pk).update(total=F("total") + Decimal("2.50"))

    assert told() == [("order.repriced", {"total": {"old": 0, "new": 2.5}})]


def test_update_of_a_foreign_key(orders: list[Order], customer: Customer, told: Told) -> None:
    """By an instance, by its key, and from the other side."""
    other = Customer.objects.create(name="Grace")
    Order.objects.filter(pk=orders[0].pk).update(customer=other)
    Order.objects.filter(pk=orders[0].pk).update(customer_id=customer.pk)
    with identify(usr="u-1"):
        customer.order_set.remove(orders[0])

    assert told() == [
        ("order.handed_over", {"customer": {"old": old, "new": new}})
        for old, new in [(customer.pk, other.pk), (other.pk, customer.pk), (customer.pk, None)]
    ]


@pytest.mark.parametrize(
    "narrow",
    [
        pytest.param(lambda rows: rows.filter(customer__name="Ada"), id="join"),
        pytest.param(lambda rows: rows.exclude(customer__name="Grace").distinct(), id="distinct"),
        pytest.param(lambda rows: rows.annotate(n=F("total") + 1).filter(n=1), id="annotation"),
        pytest.param(lambda rows: rows.values("note"), id="values"),
        pytest.param(lambda rows: rows.only("note").order_by("-pk").select_related("customer"), id="only"),
        pytest.param(lambda rows: rows.extra(where=["1 = 1"]), id="extra"),
    ],
)
def test_update_of_any_queryset(
    orders: list[Order], told: Told, narrow: Callable[[QuerySet[Order]], QuerySet[Order]]
) -> None:
    """Whatever it was filtered by."""
    assert narrow(Order.objects.filter(status="new")).update(status="paid") == 2

    assert told() == changed_to("paid", "new", "new")


def test_update_of_a_child(customer: Customer, told: Told) -> None:
    """Its columns lie in two tables."""
    GiftOrder._base_manager.create(customer=customer)
    told()
    TrackedQuerySet(GiftOrder).update(status="paid", greeting="hello")

    assert told() == changed_to("paid", "new")


def test_update_rolled_back(orders: list[Order], told: Told) -> None:
    """Nothing has changed, also if the database refuses."""
    with suppress(ViewError), transaction.atomic():
        Order.objects.update(status="paid")
        raise ViewError
    with suppress(IntegrityError), transaction.atomic():
        Order.objects.update(total=None)

    assert told() == []


def test_update_of_a_slice_is_refused_as_ever(orders: list[Order]) -> None:
    """With Django's own error."""
    with pytest.raises(TypeError, match="slice"):
        Order.objects.all()[:1].update(status="paid")


def test_plain_manager_is_the_gap(told: Told) -> None:
    """Django has no signal for `update()`: other managers tell nothing."""
    with identify(usr="u-1"):
        Article.objects.create()
        Article.objects.update(body="text")

    assert told() == []


def test_bulk_create(customer: Customer, told: Told) -> None:
    """An event for each row, with no query more."""
    with queries(1):
        made = Order.objects.bulk_create(Order(customer=customer) for _ in range(3))
    made[0].status = "paid"
    made[0].save()

    assert told() == [("order.placed", None)] * 3 + changed_to("paid", "new")


@pytest.mark.parametrize(
    "options",
    [{"ignore_conflicts": True}, {"update_conflicts": True, "update_fields": ["code"], "unique_fields": ["code"]}],
)
def test_bulk_create_that_may_skip_rows(told: Told, options: dict[str, object]) -> None:
    """The database does not say which were new, so nothing is claimed."""
    with identify(usr="u-1"):
        Coupon.objects.bulk_create([Coupon(code="A"), Coupon(code="A")], **options)  # type: ignore[arg-type]

    assert Coupon.objects.count() == 1
    assert told() == []


def test_bulk_create_that_fails(told: Told) -> None:
    """No row, no event."""
    with identify(usr="u-1"), suppress(IntegrityError):
        Coupon.objects.bulk_create([Coupon(code="A"), Coupon(code="A")])

    assert told() == []


def test_bulk_update(orders: list[Order], told: Told) -> None:
    """As if each had been saved: no query more, and the next save tells nothing again."""
    for order in orders:
        order.status = "paid"
    with queries(1):
        count = Order.objects.bulk_update(orders, ["status"])
    for order in orders:
        order.save()

    assert count == 3
    assert told() == changed_to("paid", "new", "new")


def test_bulk_update_of_rows_that_were_not_loaded(orders: list[Order], customer: Customer, told: Told) -> None:
    """Their old values are read in one query."""
    unloaded = [Order(pk=order.pk, customer=customer, status="sent") for order in orders]
    with queries(2):
        Order.objects.bulk_update(unloaded, ["status"])

    assert told() == changed_to("sent", "new", "new", "paid")


def test_bulk_update_of_rows_that_are_gone(orders: list[Order], told: Told) -> None:
    """Only rows that are there can change."""
    Order.objects.filter(pk=orders[0].pk).delete()
    told()
    for order in orders:
        order.status = "sent"
    Order.objects.bulk_update(orders, ["status"])

    assert told() == changed_to("sent", "new", "paid")


def test_bulk_update_by_expressions(orders: list[Order], told: Told) -> None:
    """Read again in one query for all."""
    for order in orders:
        order.total = F("total") + 1
    with queries(2):
        Order.objects.bulk_update(orders, ["total"])

    assert told() == [("order.repriced", {"total": {"old": 0, "new": 1}})] * 3


def test_disabled(orders: list[Order], configure: Configure, told: Told) -> None:
    """Nothing is read."""
    configure(ENABLED=False)
    with queries(1):
        Order.objects.update(status="paid")

    configure()
    assert told() == []


def test_it_is_an_ordinary_queryset() -> None:
    """Usable as a base, with its own methods on the manager."""

    class Orders(TrackedQuerySet[Order]):
        def paid(self) -> QuerySet[Order]:
            return self.filter(status="paid")

    manager = Orders.as_manager()
    manager.model = Order
    assert list(manager.paid()) == []
