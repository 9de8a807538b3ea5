"""A declaration holds for what inherits from its class, once for each object."""

from __future__ import annotations

import pytest
from django.db import models
from django.test.utils import isolate_apps

from dd_pa import identify
from dd_pa_django import track_model
from dd_pa_django.model_events.watch import watches
from tests.django_app.conftest import Events
from tests.django_app.orders.conftest import Told
from tests.django_app.orders.models import (
    CreditNote,
    Customer,
    Document,
    GiftOrder,
    Invoice,
    Message,
    Order,
    RushOrder,
    ShortMessage,
)


@pytest.fixture(autouse=True)
def _identified() -> object:
    with identify(usr="u-1"):
        yield


@pytest.mark.parametrize("model", [RushOrder, GiftOrder])
def test_proxy_and_child(model: type[Order], customer: Customer, told: Told) -> None:
    """Both tell what their parent declared, whichever way they are deleted."""
    first, second = (model._base_manager.create(customer=customer) for _ in range(2))
    first.status = "paid"
    first.save()
    first.delete()
    model._base_manager.filter(pk=second.pk).delete()

    assert [name for name, _ in told()] == [
        "order.placed",
        "order.placed",
        "order.status_changed",
        "order.cancelled",
        "order.cancelled",
    ]


def test_row_of_a_child_changed_through_its_parent(customer: Customer, told: Told) -> None:
    """It is the same object."""
    gift = GiftOrder.objects.create(customer=customer)
    told()
    order = Order.objects.get(pk=gift.pk)
    order.status = "paid"
    order.save()
    order.delete()

    assert [name for name, _ in told()] == ["order.status_changed", "order.cancelled"]


def test_columns_have_one_name(customer: Customer, events: Events) -> None:
    """That of the class which was declared, whoever wrote the row."""
    gift = GiftOrder.objects.create(customer=customer)
    for model in (GiftOrder, Order, RushOrder):
        row = model._base_manager.get(pk=gift.pk)
        row.status += "!"
        row.save()
    gift.delete()

    assert [event["order"]["status"] for event in events()] == ["new", "new!", "new!!", "new!!!", "new!!!"]


@pytest.mark.parametrize("model", [Invoice, CreditNote])
def test_abstract_class(model: type[Document], told: Told) -> None:
    """Two tables of one line both inherit the declaration: their object is one."""
    document = model._base_manager.create(title="A")
    document.title = "B"
    document.save()
    document.delete()

    assert told() == [
        ("document.filed", None),
        ("document.renamed", {"title": {"old": "A", "new": "B"}}),
        ("document.shredded", None),
    ]


def test_proxy_of_its_own(told: Told) -> None:
    """What is declared on a proxy is told by the proxy only."""
    Message.objects.create()
    ShortMessage.objects.create()

    assert told() == [("message.sent_short", None)]


@isolate_apps("tests.django_app.orders")
def test_subclass_that_is_made_later() -> None:
    """And one that was there before the declaration."""

    class Base(models.Model):
        title = models.CharField(max_length=10)

        def __str__(self) -> str:
            return self.title

    class Before(Base):
        pass

    track_model(Base, updated={"title": "base.renamed"})

    class After(Base):
        pass

    assert [watches[Model].fields for Model in (Base, Before, After)] == [[Base._meta.get_field("title")]] * 3
    assert all(hasattr(Model.from_db, "dd_pa_notices") for Model in (Base, Before, After))


def test_deleted_through_two_instances(told: Told) -> None:
    """Of a declaration that carries no column, for which nothing would be read again."""
    with identify(usr="u-1"):
        one, two = Invoice.objects.create(title="a"), Invoice.objects.get()
        told()
        one.delete()
        two.delete()

    assert told() == [("document.shredded", None)]
