"""Checked by mypy and pyright, never run: decorated views keep their types."""

from __future__ import annotations

from typing import assert_type

from flask import Flask, Request, Response, request_finished

from dd_pa import Emitter
from dd_pa_flask import Connection, ProductAnalytics

app = Flask(__name__)
analytics = ProductAnalytics(app)
ProductAnalytics().init_app(app)


def amount(request: Request, response: Response) -> dict[str, int]:
    return {"length": response.content_length or 0}


@app.post("/checkout/<int:order>")
@analytics.tracked("checkout.completed", attributes=amount, when=lambda request, response: response.status_code == 201)
def checkout(order: int) -> dict[str, int]:
    assert_type(analytics.track("payment.taken", {"order": order}, usr=1), str | None)
    return {"order": order}


connection = analytics.connect(
    request_finished,
    "page.answered",
    lambda app, response: {"status": response.status_code},
    when=lambda app, response: response.status_code < 400,
    usr=7,
    account=lambda app, **values: "acme",
    app=app,
)
assert_type(connection, Connection)
assert_type(connection.disconnect(), None)
analytics.connect("request_finished", "page.answered")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@analytics.track_model(
    created="order.placed",
    updated={"status": "order.status_changed"},
    attributes=["total"],
    when=lambda order: order.total > 0,
    identity=lambda order: {"usr": order.customer_id},
)
class Order:
    total: int


assert_type(Order, type[Order])
assert_type(analytics.track_model(Order, deleted="order.removed"), type[Order])
analytics.track_model(Order, creatd="order.placed")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


@analytics.tracked("checkout.completed")
async def acheckout() -> str:
    return ""


async def use() -> None:
    assert_type(checkout(order=1), dict[str, int])
    assert_type(await acheckout(), str)
    assert_type(analytics.emitter, Emitter)
    checkout("one")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    analytics.tracked(checkout)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
