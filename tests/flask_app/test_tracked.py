from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Request, Response, abort, after_this_request, redirect
from flask.testing import FlaskClient
from flask.views import View

from dd_pa import EventError
from dd_pa_flask import ProductAnalytics
from tests.flask_app.conftest import MakeApp, Sent, state_of

EVENT = {"event": {"name": "report.viewed"}, "usr": {"id": "u-1"}}


@pytest.fixture
def config(config: dict[str, Any]) -> dict[str, Any]:
    return config | {"DD_PA_USER_ID": lambda request: "u-1"}


@pytest.mark.parametrize(
    ("answer", "fires"),
    [
        pytest.param(lambda: "ok", True, id="text"),
        pytest.param(lambda: {"ok": True}, True, id="dict"),
        pytest.param(lambda: Response("ok"), True, id="response"),
        pytest.param(lambda: ("made", 201, {"X-Made": "yes"}), True, id="tuple-201"),
        pytest.param(lambda: ("", 204), True, id="tuple-204"),
        pytest.param(lambda: redirect("/elsewhere"), True, id="redirect"),
        pytest.param(lambda: ("wrong", 400), False, id="tuple-400"),
        pytest.param(lambda: Response("gone", status=410), False, id="response-410"),
        pytest.param(lambda: ("broken", 503), False, id="tuple-503"),
        pytest.param(lambda: abort(404), False, id="abort"),
    ],
)
def test_event_follows_the_status(
    app: Flask, client: FlaskClient, analytics: ProductAnalytics, sent: Sent, answer: Callable[[], Any], fires: bool
) -> None:
    """An answer of 200 to 399 fires, in whatever form the view gives it; others do not."""

    @app.get("/")
    @analytics.tracked("report.viewed")
    def report() -> Any:
        return answer()

    client.get("/")

    assert sent() == ([EVENT] if fires else [])


def test_decorated_view_keeps_its_name(analytics: ProductAnalytics) -> None:
    """Flask takes the endpoint from the function's name, so wrapping must not change it."""

    @analytics.tracked("report.viewed")
    def report() -> str:
        """Show it."""
        return "report"

    assert (report.__name__, report.__doc__) == ("report", "Show it.")


def test_attributes_come_from_a_mapping_or_from_request_and_response(
    app: Flask, client: FlaskClient, analytics: ProductAnalytics, sent: Sent
) -> None:
    """Fixed attributes and those of the finished request; a callable may also find none."""

    def of_request(request: Request, response: Response) -> dict[str, Any]:
        return {
            "total": request.get_json()["total"],
            "status": response.status_code,
            "late": response.headers["X-Late"],
        }

    @app.post("/")
    @analytics.tracked("report.fixed", {"kind": "fixed"})
    @analytics.tracked("report.computed", of_request)
    @analytics.tracked("report.plain", attributes=lambda request, response: None)
    def report() -> tuple[str, int]:
        return "made", 201

    @app.after_request
    def add_header(response: Response) -> Response:
        response.headers["X-Late"] = "yes"
        return response

    client.post("/", json={"total": 42.5})

    assert sent() == [
        {"event": {"name": "report.computed"}, "usr": {"id": "u-1"}, "total": 42.5, "status": 201, "late": "yes"},
        {"event": {"name": "report.fixed"}, "usr": {"id": "u-1"}, "kind": "fixed"},
        {"event": {"name": "report.plain"}, "usr": {"id": "u-1"}},
    ]


def test_when_decides_instead_of_the_status(
    app: Flask, client: FlaskClient, analytics: ProductAnalytics, sent: Sent
) -> None:
    """`when` can ask for failures, and for a part of the successes."""

    @app.get("/<int:status>")
    @analytics.tracked("report.viewed", when=lambda request, response: response.status_code == 402)
    @analytics.tracked("report.found", when=lambda request, response: "q" in request.args)
    def report(status: int) -> tuple[str, int]:
        return "report", status

    for path in ("/402", "/200", "/200?q=x"):
        client.get(path)

    assert [event["event"]["name"] for event in sent()] == ["report.found", "report.viewed"]


def test_final_response_counts(app: Flask, client: FlaskClient, analytics: ProductAnalytics, sent: Sent) -> None:
    """What later handlers make of the response is what the event goes by."""

    @app.get("/")
    @analytics.tracked("report.viewed")
    def report() -> str:
        return "report"

    @app.after_request
    def refuse(response: Response) -> Response:
        response.status_code = 403
        return response

    client.get("/")

    assert sent() == []


def test_view_that_raised_fires_nothing(
    app: Flask, client: FlaskClient, analytics: ProductAnalytics, sent: Sent
) -> None:
    """An error handler's page is not the view's success, even with status 200, and `when` is not asked."""

    @app.get("/<name>")
    @analytics.tracked("report.viewed")
    @analytics.tracked("report.always", when=lambda request, response: True)
    def report(name: str) -> str:
        raise LookupError(name)

    app.register_error_handler(LookupError, lambda error: ("sorry", 200))

    assert client.get("/x").text == "sorry"
    assert sent() == []


@pytest.mark.parametrize("cause", ["unusable-answer", "later-handler"])
def test_response_that_failed_after_the_view_fires_nothing(
    make_app: MakeApp, analytics: ProductAnalytics, cause: str
) -> None:
    """When Flask gives up on what the view returned, the page of the handler for 500 is no success."""
    app = make_app()
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.register_error_handler(500, lambda error: ("sorry", 200))

    @app.get("/")
    @analytics.tracked("report.viewed")
    def report() -> Any:
        if cause == "unusable-answer":
            return None
        after_this_request(fail)
        return "report"

    def fail(response: Response) -> Response:
        raise LookupError

    answer = app.test_client().get("/")

    assert answer.text == "sorry"
    assert state_of(app).emitter.stats().queued == 0


@pytest.mark.parametrize("part", ["attributes", "when"])
def test_failing_callable_raises_in_strict_mode(
    app: Flask, client: FlaskClient, analytics: ProductAnalytics, part: str
) -> None:
    """In tests and development the error reaches the developer, also when the event would not have been linked."""
    app.add_url_rule("/", view_func=failing(analytics, part))

    with pytest.raises(ZeroDivisionError):
        client.get("/")


@pytest.mark.parametrize("part", ["attributes", "when"])
def test_failing_callable_never_breaks_a_lenient_response(
    make_app: MakeApp, analytics: ProductAnalytics, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    """In production the visitor gets the page, the event is counted as dropped, and the log names the error's class."""
    app = make_app(DD_PA_STRICT=False)
    app.add_url_rule("/", view_func=failing(analytics, part))

    answer = app.test_client().get("/")

    assert (answer.status_code, answer.text) == (200, "report")
    assert state_of(app).emitter.stats().dropped == {"invalid": 1}
    assert "cannot be sent: 'ZeroDivisionError'" in caplog.text


def failing(analytics: ProductAnalytics, part: str) -> Callable[[], str]:
    def fail(request: Request, response: Response) -> Any:
        return 1 // 0

    @analytics.tracked("report.viewed", **{part: fail})
    def report() -> str:
        return "report"

    return report


@pytest.mark.parametrize("strict", [True, False])
def test_bad_attributes_are_the_emitters_business(make_app: MakeApp, analytics: ProductAnalytics, strict: bool) -> None:
    """Attributes that cannot be sent raise in strict mode and are repaired otherwise, as with `track()`."""
    app = make_app(DD_PA_STRICT=strict)

    @app.get("/")
    @analytics.tracked("report.viewed", {"usr": "admin"})
    def report() -> str:
        return "report"

    if strict:
        with pytest.raises(EventError, match=r"^usr"):
            app.test_client().get("/")
    else:
        assert app.test_client().get("/").status_code == 200
        assert state_of(app).emitter.stats().repaired == 1


def test_requests_in_one_pushed_context_do_not_meet(
    app: Flask, client: FlaskClient, analytics: ProductAnalytics, sent: Sent
) -> None:
    """Tests often keep an app context open, which shares `g` between requests: a failed one must not taint the next."""

    @app.get("/<int:divisor>")
    @analytics.tracked("report.viewed")
    def report(divisor: int) -> str:
        return str(1 // divisor)

    with app.app_context():
        with pytest.raises(ZeroDivisionError):
            client.get("/0")
        client.get("/1")

    assert sent() == [EVENT]


def test_view_called_outside_of_a_request_just_runs(app: Flask, analytics: ProductAnalytics, sent: Sent) -> None:
    """A decorated function stays usable in commands and unit tests."""

    @analytics.tracked("report.viewed")
    def report() -> str:
        return "report"

    @analytics.tracked("report.viewed")
    async def async_report() -> str:
        return "report"

    assert (report(), asyncio.run(async_report())) == ("report", "report")
    assert sent() == []


def test_view_of_an_app_without_setup_does_not_run(analytics: ProductAnalytics) -> None:
    """A forgotten `init_app()` is told before the view has done anything."""
    app = Flask("forgotten")
    app.testing = True
    ran: list[bool] = []

    @app.get("/")
    @analytics.tracked("report.viewed")
    def report() -> str:
        ran.append(True)
        return "report"

    with pytest.raises(RuntimeError, match=r"call analytics\.init_app"):
        app.test_client().get("/")

    assert ran == []


def test_misused_decorator_says_how_to_use_it(analytics: ProductAnalytics) -> None:
    """A forgotten name and a decorated class fail when the module is imported."""

    def report() -> str:
        return "report"

    with pytest.raises(TypeError, match=r'@analytics\.tracked\("report\.viewed"\)'):
        analytics.tracked(report)  # type: ignore[arg-type] # the mistake

    class Report(View):
        pass

    with pytest.raises(TypeError, match="put it on a method of Report or in its `decorators`"):
        analytics.tracked("report.viewed")(Report)
