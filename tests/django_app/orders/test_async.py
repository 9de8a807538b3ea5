"""Async code writes rows by the `a…` methods: their events know the request, and nothing is awaited for them."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient

from tests.django_app.conftest import Events
from tests.django_app.orders.models import Customer, Order


@pytest.mark.asyncio
async def test_rows(told: object, events: Events) -> None:
    """Made, changed and deleted."""
    customer = await Customer.objects.acreate(name="Ada")
    order = await Order.objects.acreate(customer=customer)
    order.status = "paid"
    await order.asave()
    await order.arefresh_from_db()
    await order.asave()
    await Order.objects.aupdate(status="sent")
    [order] = await Order.objects.abulk_create([Order(customer=customer)])
    order.status = "paid"
    await Order.objects.abulk_update([order], ["status"])
    await order.adelete()
    await Order.objects.all().adelete()

    assert [event["event"]["name"].removeprefix("order.") for event in events()] == [
        "placed",
        "status_changed",
        "status_changed",
        "placed",
        "status_changed",
        "cancelled",
        "cancelled",
    ]


@pytest.mark.asyncio
async def test_row_of_an_async_view(ada_async_client: AsyncClient, ada: User, events: Events) -> None:
    """The user is looked up where the row is written: no SynchronousOnlyOperation."""
    response = await ada_async_client.get("/places_order_async/")

    assert response.status_code == 200
    assert [(event["event"]["name"], event["usr"]["id"]) for event in events()] == [("order.placed", str(ada.pk))]
