"""Checked by mypy and pyright, never run: decorated views keep their types."""

from __future__ import annotations

from typing import assert_type

from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View

from dd_pa import Emitter, Event
from dd_pa_django import TrackedQuerySet, atrack, get_emitter, track, track_model, tracked


@tracked("report.viewed")
def report(request: HttpRequest, number: int) -> HttpResponse:
    assert_type(track("report.opened", {"number": number}, on_commit=False, using="default"), str | None)
    return HttpResponse()


@tracked(
    "report.viewed", attributes=lambda request, response: {"path": request.path}, when=lambda request, response: True
)
async def areport(request: HttpRequest) -> HttpResponse:
    assert_type(await atrack("report.opened"), str | None)
    return HttpResponse()


@method_decorator(tracked("report.viewed", attributes={"kind": "class"}), name="dispatch")
class Report(View):
    pass


@track_model(created="order.placed", updated={"status": "order.changed"}, attributes=["pk"])
class Order(Model):
    def __str__(self) -> str:
        return "order"

    def ship(self) -> int:
        return 1


class Orders(TrackedQuerySet[Order]):
    pass


async def use(request: HttpRequest) -> None:
    assert_type(report(request, number=1), HttpResponse)
    assert_type(await areport(request), HttpResponse)
    assert_type(get_emitter(), Emitter)
    assert_type(Order().ship(), int)
    assert_type(track_model(Order, deleted="order.cancelled", identity=lambda order: {"usr": 1}), type[Order])
    assert_type(Orders(Order).first(), Order | None)
    assert_type(Orders(Order).update(status="paid"), int)
    report(request, number="one")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    tracked(report)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


class OrderShipped(Event, name="order.shipped"):
    number: int


def ship() -> None:
    assert_type(track(OrderShipped(number=1)), str | None)
    tracked(OrderShipped, attributes={"number": 1})(report)
    tracked(OrderShipped, attributes=lambda request, response: OrderShipped(number=1))(report)
    track_model(Order, created=OrderShipped, updated={"status": {"shipped": OrderShipped}})
