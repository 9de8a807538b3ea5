"""The other places of a request where something is refused, fails, or is tracked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, abort, g
from flask.testing import FlaskClient

from dd_pa_flask import ProductAnalytics
from tests.flask_app import rum
from tests.flask_app.conftest import Sent

VISITOR = {"Baggage": rum.baggage()}
LINK = {"session": {"id": rum.SESSION}}


def names(sent: Sent) -> list[str]:
    return [event["event"]["name"] for event in sent()]


@pytest.mark.parametrize("level", ["app", "blueprint"])
@pytest.mark.parametrize("answer", [pytest.param(("wait", 200), id="page"), pytest.param(403, id="abort")])
def test_request_refused_before_the_view_fires_nothing(
    app: Flask, client: FlaskClient, analytics: ProductAnalytics, sent: Sent, level: str, answer: Any
) -> None:
    """Not even if the page that says so has a status of 200: the view did not run."""
    reports = Blueprint("reports", __name__)

    @reports.get("/")
    @analytics.tracked("report.viewed", when=lambda request, response: True)
    def report() -> str:
        return "report"

    @(app if level == "app" else reports).before_request
    def refuse() -> Any:
        return abort(answer) if isinstance(answer, int) else answer

    app.register_blueprint(reports)

    assert client.get("/", headers=VISITOR).text != "report"
    assert sent() == []


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_error_handler_may_track(
    app: Flask, client: FlaskClient, analytics: ProductAnalytics, sent: Sent, kind: str
) -> None:
    """Its event is linked to the request, and that of the view which failed does not come."""

    @app.get("/")
    @analytics.tracked("report.viewed")
    def report() -> str:
        raise LookupError

    def note(error: Exception) -> tuple[str, int]:
        analytics.track("report.failed", {"kind": type(error).__name__})
        return "sorry", 200

    async def anote(error: Exception) -> tuple[str, int]:
        await asyncio.sleep(0)
        return note(error)

    app.register_error_handler(LookupError, note if kind == "sync" else anote)

    assert client.get("/", headers=VISITOR).text == "sorry"
    assert sent() == [{"event": {"name": "report.failed"}, **LINK, "kind": "LookupError"}]


def test_every_hook_of_a_request_may_track(
    app: Flask, client: FlaskClient, analytics: ProductAnalytics, sent: Sent
) -> None:
    """From before the view to the teardown, the request's visitor is known."""

    @app.before_request
    def before() -> None:
        analytics.track("hook.before")

    @app.teardown_request
    def over(error: BaseException | None) -> None:
        analytics.track("hook.torn_down")

    @app.url_value_preprocessor
    def values(endpoint: str | None, values: dict[str, Any] | None) -> None:
        analytics.track("hook.values")

    @app.after_request
    def after(response: Response) -> Response:
        analytics.track("hook.after")
        return response

    @app.teardown_appcontext
    def context_over(error: BaseException | None) -> None:
        analytics.track("hook.context_over", usr="u-1")

    app.add_url_rule("/", view_func=lambda: "ok")

    client.get("/", headers=VISITOR)

    linked = [event["event"]["name"] for event in sent() if event.get("session") == {"id": rum.SESSION}]
    assert {"hook.after", "hook.before", "hook.torn_down", "hook.values"} <= set(linked)
    assert "hook.context_over" in names(sent)


def test_streamed_answer_that_fails_later(
    app: Flask, client: FlaskClient, analytics: ProductAnalytics, sent: Sent
) -> None:
    """The event is fired when the view's answer is known, and a body that fails later changes nothing."""

    @app.get("/export")
    @analytics.tracked("export.started")
    def export() -> Response:
        def rows() -> Iterator[str]:
            yield "1\n"
            raise LookupError

        return Response(rows())

    answer = client.get("/export", headers=VISITOR, buffered=False)
    with pytest.raises(LookupError):
        list(answer.iter_encoded())
    assert sent() == [{"event": {"name": "export.started"}, **LINK}]


def test_nested_request_of_a_test_client(
    app: Flask, client: FlaskClient, analytics: ProductAnalytics, sent: Sent
) -> None:
    """A view that asks another view of its app is one visitor, which the inner request does not know."""

    @app.get("/inner")
    @analytics.tracked("inner.viewed")
    def inner() -> str:
        return "inner"

    @app.get("/outer")
    @analytics.tracked("outer.viewed")
    def outer() -> str:
        g.seen = "outer"
        return app.test_client().get("/inner", headers={"Baggage": rum.baggage(rum.OTHER_SESSION)}).text

    client.get("/outer", headers=VISITOR)

    assert sent() == [
        {"event": {"name": "inner.viewed"}, "session": {"id": rum.OTHER_SESSION}},
        {"event": {"name": "outer.viewed"}, **LINK},
    ]
