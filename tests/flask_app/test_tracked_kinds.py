from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.testing import FlaskClient
from flask.views import MethodView, View

from dd_pa_flask import ProductAnalytics
from tests.flask_app.conftest import Sent

EVENT = {"event": {"name": "report.viewed"}, "usr": {"id": "u-1"}}


@pytest.fixture
def config(config: dict[str, Any]) -> dict[str, Any]:
    return config | {"DD_PA_USER_ID": lambda request: "u-1"}


class Report(MethodView):
    def get(self, number: int) -> str:
        return f"report {number}"

    def post(self, number: int) -> tuple[str, int]:
        return "saved", 201


class Page(View):
    def dispatch_request(self, **values: int) -> str:
        return f"report {values['number']}"


def register_function(app: Flask, analytics: ProductAnalytics) -> None:
    @app.get("/<int:number>")
    @analytics.tracked("report.viewed")
    def report(number: int) -> str:
        return f"report {number}"


def register_async_function(app: Flask, analytics: ProductAnalytics) -> None:
    @app.get("/<int:number>")
    @analytics.tracked("report.viewed")
    async def report(number: int) -> str:
        await asyncio.sleep(0)
        return f"report {number}"


def register_blueprint(app: Flask, analytics: ProductAnalytics) -> None:
    reports = Blueprint("reports", __name__)

    @reports.get("/<int:number>")
    @analytics.tracked("report.viewed")
    def report(number: int) -> str:
        return f"report {number}"

    app.register_blueprint(reports)


def register_method(app: Flask, analytics: ProductAnalytics) -> None:
    class TrackedReport(Report):
        @analytics.tracked("report.viewed")
        def get(self, number: int) -> str:
            return super().get(number)

    app.add_url_rule("/<int:number>", view_func=TrackedReport.as_view("report"))


def register_async_method(app: Flask, analytics: ProductAnalytics) -> None:
    class TrackedReport(MethodView):
        @analytics.tracked("report.viewed")
        async def get(self, number: int) -> str:
            await asyncio.sleep(0)
            return f"report {number}"

    app.add_url_rule("/<int:number>", view_func=TrackedReport.as_view("report"))


def register_dispatch_request(app: Flask, analytics: ProductAnalytics) -> None:
    class TrackedPage(Page):
        @analytics.tracked("report.viewed")
        def dispatch_request(self, **values: int) -> str:
            return super().dispatch_request(**values)

    app.add_url_rule("/<int:number>", view_func=TrackedPage.as_view("report"))


def register_class_decorators(app: Flask, analytics: ProductAnalytics) -> None:
    class TrackedReport(Report):
        decorators = [analytics.tracked("report.viewed")]  # noqa: RUF012 - as Flask declares it

    app.add_url_rule("/<int:number>", view_func=TrackedReport.as_view("report"))


@pytest.mark.parametrize(
    "register",
    [
        register_function,
        register_async_function,
        register_blueprint,
        register_method,
        register_async_method,
        register_dispatch_request,
        register_class_decorators,
    ],
)
def test_every_kind_of_view_can_be_tracked(
    app: Flask,
    client: FlaskClient,
    analytics: ProductAnalytics,
    sent: Sent,
    register: Callable[[Flask, ProductAnalytics], None],
) -> None:
    """The view answers as before, and each request fires one event."""
    register(app, analytics)

    answers = [client.get(f"/{number}").text for number in (1, 2)]

    assert answers == ["report 1", "report 2"]
    assert sent() == [EVENT, EVENT]
