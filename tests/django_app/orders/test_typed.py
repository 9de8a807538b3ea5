"""Typed events of models, views and signals in Django."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from msgspec import Struct

from dd_pa import Event, EventError, identify
from dd_pa_django import atrack, get_emitter, track, track_model, tracked
from dd_pa_django.model_events import registry
from dd_pa_django.signal_events import connect
from tests.django_app.conftest import Configure, Events
from tests.django_app.orders.models import Customer, Message, Order
from tests.django_app.orders.test_declaration import declared


class OrderInfo(Struct):
    id: int
    total: Decimal
    status: str


class OrderPlaced(Event, name="typed.order_placed"):
    order: OrderInfo
    customer: int | None
    note: str = "none"


class OrderRepriced(Event, name="typed.order_repriced"):
    total: Decimal
    changed: dict[str, dict[str, Decimal]]


class MessageSent(Event, name="typed.message_sent"):
    text: str


class MessageChanged(Event, name="typed.message_changed"):
    id: int
    text: str


class ReportViewed(Event, name="typed.report_viewed"):
    number: int = 1


class Unfit(Event, name="typed.unfit"):
    colour: str


@contextmanager
def also_declared(model: Any, **options: Any) -> Iterator[None]:
    """Declare more of a model until the end of the block."""
    track_model(model, **options)
    try:
        yield
    finally:
        registry._declared[model].pop()
        for heir in (model, *model.__subclasses__()):
            registry._follow(registry._watch(heir))


def said(event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in ("event", "usr", "account", "session")}


def test_rows(events: Events, customer: Customer) -> None:
    """Fields are taken from fields of the same name, a Struct of the model's name from the row; keys are keys."""
    with declared(Message, created=MessageSent, updated={"text": MessageChanged}, identity=lambda m: {"usr": "u-1"}):
        message = Message.objects.create(text="a")
        message.text = "b"
        message.save()

    assert [(event["event"]["name"], said(event)) for event in events()] == [
        ("typed.message_sent", {"text": "a"}),
        ("typed.message_changed", {"id": message.pk, "text": "b"}),
    ]


def test_an_object_of_the_models_name(customer: Customer, events: Events) -> None:
    """`order: OrderInfo` takes its own fields from the order; what changed comes where it is wanted."""
    with also_declared(Order, created=OrderPlaced, updated={"total": OrderRepriced}, identity=lambda order: {"usr": 1}):
        order = Order.objects.create(customer=customer, total="12.50")
        order.total = Decimal(20)
        order.save()
        Order.objects.filter(pk=order.pk).update(total=30)

    found = [said(event) for event in events() if event["event"]["name"].startswith("typed.")]
    assert found == [
        {"order": {"id": order.pk, "total": 12.5, "status": "new"}, "customer": customer.pk, "note": ""},
        {"total": 20, "changed": {"total": {"old": 12.5, "new": 20}}},
        {"total": 30, "changed": {"total": {"old": 20, "new": 30}}},
    ]


def test_a_callable_says_the_event(events: Events) -> None:
    """Whole, or as a mapping of its fields."""
    by = {"identity": lambda message: {"usr": "u-1"}}
    with declared(Message, created=MessageSent, attributes=lambda message: MessageSent(text="whole"), **by):
        Message.objects.create(text="a")
    with declared(Message, created=MessageSent, attributes=lambda message: {"text": "mapping"}, **by):
        Message.objects.create(text="a")

    assert [event["text"] for event in events()] == ["whole", "mapping"]


@pytest.mark.parametrize(
    ("options", "error", "problem"),
    [
        ({"created": Unfit}, ValueError, "message has no 'colour' for Unfit.colour: give it a default, or attributes="),
        ({"created": MessageSent, "attributes": ["text"]}, TypeError, "a typed event takes what its class has"),
        ({"created": Event}, TypeError, r"Event has no name of an event: class Event\(Event, name='order.placed'\)"),
    ],
)  # fmt: skip
def test_wrong_declarations(options: dict[str, Any], error: type[Exception], problem: str) -> None:
    """Refused where they stand, with the fix."""
    with pytest.raises(error, match=problem):
        track_model(Message, **options)


def test_a_callable_without_a_field(configure: Configure, events: Events) -> None:
    """The event is dropped and counted, and the row is written; in strict mode it raises."""
    options: dict[str, Any] = {"created": MessageSent, "attributes": lambda message: {"colour": "red"}}
    with declared(Message, **options):
        with pytest.raises(EventError, match="MessageSent: "):
            Message.objects.create(text="a")
        configure(STRICT=False)
        Message.objects.create(text="b")

    assert get_emitter().stats().dropped == {"invalid": 1}


def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse("report")


@pytest.mark.parametrize(
    ("decorate", "number"),
    [
        (tracked(ReportViewed), 1),
        (tracked(ReportViewed(number=2)), 2),
        (tracked(ReportViewed, attributes={"number": 3}), 3),
        (tracked(ReportViewed, attributes=lambda request, response: {"number": response.status_code}), 200),
        (tracked(ReportViewed, attributes=lambda request, response: ReportViewed(number=5)), 5),
    ],
)
def test_views(events: Events, decorate: Any, number: int) -> None:
    """A class, an instance, or a class and what its fields are."""
    with identify(usr="u-1"):
        decorate(view)(RequestFactory().get("/"))

    assert [(event["event"]["name"], event["number"]) for event in events()] == [("typed.report_viewed", number)]


def test_signals(events: Events) -> None:
    """`connect()` takes classes too."""
    sent = Signal()
    disconnect = connect(sent, MessageSent, lambda sender, text, **_: {"text": text}, usr="u-1")
    sent.send("shop", text="a")
    disconnect()

    assert [(event["event"]["name"], event["text"]) for event in events()] == [("typed.message_sent", "a")]


def test_track(events: Events) -> None:
    """`track` takes instances."""
    assert track(MessageSent(text="a"), usr="u-1")

    assert [said(event) for event in events()] == [{"text": "a"}]


@pytest.mark.asyncio
async def test_atrack(events: Events) -> None:
    """So does `atrack`."""
    assert await atrack(MessageSent(text="a"), usr="u-1")
