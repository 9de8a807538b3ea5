from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Request, session
from flask.testing import FlaskClient

from dd_pa import EventError, identify
from dd_pa.emulator import Emulator
from dd_pa_flask import ProductAnalytics
from tests.flask_app import rum
from tests.flask_app.conftest import MakeApp, Sent, delivered, state_of


@pytest.fixture
def view(app: Flask, analytics: ProductAnalytics) -> None:
    track_at_root(app, analytics)


def track_at_root(app: Flask, analytics: ProductAnalytics) -> None:
    @app.get("/")
    def page() -> str:
        analytics.track("page.opened")
        return "ok"


def user_of(request: Request) -> str | None:
    return request.headers.get("X-Test-User")


@pytest.mark.usefixtures("view")
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param([("Cookie", rum.cookie())], rum.SESSION, id="cookie"),
        pytest.param([("Cookie", f"bad name{{=x; {rum.cookie()}; a=b")], rum.SESSION, id="malformed-neighbours"),
        pytest.param([("Baggage", rum.baggage())], rum.SESSION, id="baggage"),
        pytest.param(
            [("Baggage", rum.baggage(rum.OTHER_SESSION)), ("Cookie", rum.cookie())],
            rum.OTHER_SESSION,
            id="baggage-wins",
        ),
    ],
)
def test_browser_session_is_read(
    raw_client: FlaskClient, sent: Sent, headers: list[tuple[str, str]], expected: str
) -> None:
    """The RUM session of the request links the event, and nothing else the browser claims does."""
    raw_client.get("/", headers=headers)

    assert sent() == [{"event": {"name": "page.opened"}, "session": {"id": expected}}]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"DD_PA_RUM_SESSION_SAMPLE_RATE": 0}, None, id="not-sampled"),
        pytest.param({"DD_PA_RUM_COOKIE_OPTIONS": "2"}, rum.OTHER_SESSION, id="preferred-copy"),
        pytest.param({"DD_PA_SESSION_ID": lambda request: request.args["visit"]}, "v-1", id="callable"),
        pytest.param({"DD_PA_SESSION_ID": lambda request: None}, None, id="callable-finds-none"),
    ],
)
def test_session_settings_are_obeyed(
    make_app: MakeApp,
    analytics: ProductAnalytics,
    emulator: Emulator,
    changes: dict[str, Any],
    expected: str | None,
) -> None:
    """What the browser SDK is configured with, or a callable of the app, decides about the session."""
    app = make_app(DD_PA_USER_ID=lambda request: "u-1", **changes)
    track_at_root(app, analytics)
    copies = f"{rum.cookie()}; {rum.cookie(rum.OTHER_SESSION).replace('&c=0', '&c=2')}"

    app.test_client(use_cookies=False).get("/?visit=v-1", headers={"Cookie": copies})

    link = {"session": {"id": expected}} if expected else {}
    assert delivered(app, emulator) == [{"event": {"name": "page.opened"}, "usr": {"id": "u-1"}, **link}]


@pytest.mark.usefixtures("view")
def test_headers_never_name_the_user(app: Flask, client: FlaskClient, sent: Sent) -> None:
    """A request that only claims to be someone has no user: its event is counted as unlinked and raises nothing."""
    client.get(
        "/", headers={"Baggage": "user.id=admin,account.id=acme", "X-User-Id": "admin", "Authorization": "admin"}
    )

    assert sent() == []
    assert state_of(app).emitter.stats().dropped == {"unlinked": 1}


def test_callables_name_user_and_account(make_app: MakeApp, analytics: ProductAnalytics, emulator: Emulator) -> None:
    """`USER_ID` and `ACCOUNT_ID` are called with the request; numbers and UUIDs become text."""
    account = uuid.UUID("33333333-3333-4333-8333-333333333333")
    app = make_app(DD_PA_USER_ID=lambda request: int(request.args["user"]), DD_PA_ACCOUNT_ID=lambda request: account)
    track_at_root(app, analytics)

    app.test_client().get("/?user=7", headers={"Baggage": rum.baggage()})

    assert delivered(app, emulator) == [
        {
            "event": {"name": "page.opened"},
            "usr": {"id": "7"},
            "account": {"id": str(account)},
            "session": {"id": rum.SESSION},
        }
    ]


def test_callable_may_be_a_dotted_path(make_app: MakeApp, analytics: ProductAnalytics, emulator: Emulator) -> None:
    """Configuration files can name a callable."""
    app = make_app(DD_PA_USER_ID=f"{__name__}.user_of")
    track_at_root(app, analytics)

    app.test_client().get("/", headers={"X-Test-User": "u-9"})

    assert delivered(app, emulator) == [{"event": {"name": "page.opened"}, "usr": {"id": "u-9"}}]


def test_explicit_wins_over_block_wins_over_request(
    make_app: MakeApp, analytics: ProductAnalytics, emulator: Emulator
) -> None:
    """Each id comes from the nearest source that can be about the same user; none is asked that is not needed."""
    asked: list[str] = []

    def answer(name: str) -> Callable[[Request], str]:
        def find(request: Request) -> str:
            asked.append(name)
            return f"{name}-of-request"

        return find

    app = make_app(DD_PA_USER_ID=answer("usr"), DD_PA_ACCOUNT_ID=answer("account"), DD_PA_SESSION_ID=answer("session"))

    @app.get("/")
    def page() -> str:
        with identify(account="account-of-block", usr="usr-of-block"):
            analytics.track("page.opened", session="session-of-call")
            assert asked == []
            analytics.track("refund.issued", usr="usr-of-call")
        return "ok"

    app.test_client().get("/")

    assert asked == ["session", "usr"]
    assert delivered(app, emulator) == [
        {
            "event": {"name": "page.opened"},
            "usr": {"id": "usr-of-block"},
            "account": {"id": "account-of-block"},
            "session": {"id": "session-of-call"},
        },
        {"event": {"name": "refund.issued"}, "usr": {"id": "usr-of-call"}},
    ]


def test_failing_callable_leaves_its_id_out(make_app: MakeApp, analytics: ProductAnalytics, emulator: Emulator) -> None:
    """In production the response and the event survive, without the id, and the failure is counted."""
    app = make_app(DD_PA_STRICT=False, DD_PA_USER_ID=lambda request: 1 // 0)
    track_at_root(app, analytics)

    answer = app.test_client(use_cookies=False).get("/", headers={"Cookie": rum.cookie()})

    assert answer.status_code == 200
    assert delivered(app, emulator) == [{"event": {"name": "page.opened"}, "session": {"id": rum.SESSION}}]
    assert state_of(app).emitter.stats().repaired == 1


@pytest.mark.parametrize(
    ("user", "error"),
    [
        pytest.param(lambda request: 1 // 0, ZeroDivisionError, id="raises"),
        pytest.param(lambda request: object(), EventError, id="returns-nonsense"),
    ],
)
def test_failing_callable_raises_in_strict_mode(
    make_app: MakeApp, analytics: ProductAnalytics, user: Callable[[Request], Any], error: type[Exception]
) -> None:
    """In tests and development a broken callable is seen at once."""
    app = make_app(DD_PA_USER_ID=user)
    track_at_root(app, analytics)

    with pytest.raises(error):
        app.test_client().get("/")


def test_outside_of_a_request_only_explicit_ids_count(app: Flask, analytics: ProductAnalytics, sent: Sent) -> None:
    """A command has an app but no visitor."""

    @app.cli.command("send-invoices")
    def send_invoices() -> None:
        analytics.track("invoice.sent")
        analytics.track("invoice.sent", usr="u-1")

    result = app.test_cli_runner().invoke(args=["send-invoices"])

    assert result.exit_code == 0
    assert sent() == [{"event": {"name": "invoice.sent"}, "usr": {"id": "u-1"}}]


def test_request_of_another_app_links_nothing(make_app: MakeApp, analytics: ProductAnalytics) -> None:
    """An app that is used inside another one's request does not take over its visitor."""
    outer, inner = make_app(), make_app()

    with outer.test_request_context(headers={"Cookie": rum.cookie()}), inner.app_context():
        assert analytics.track("page.opened") is None
        assert state_of(outer).emitter.track("page.opened") is None

    assert state_of(inner).emitter.stats().dropped == {"unlinked": 1}
    assert state_of(outer).emitter.stats().dropped == {"unlinked": 1}


@pytest.mark.parametrize("tracks", [pytest.param(True, id="tracks"), pytest.param(False, id="does-not-track")])
def test_reading_the_session_for_an_event_leaves_no_trace(
    make_app: MakeApp, analytics: ProductAnalytics, emulator: Emulator, tracks: bool
) -> None:
    """A callable that reads Flask's session adds neither `Vary: Cookie` nor a cookie, with an event or without."""
    app = make_app(DD_PA_USER_ID=lambda request: session.get("user"))

    @app.get("/")
    def page() -> str:
        if tracks:
            analytics.track("page.opened")
        return "ok"

    client = app.test_client()
    with client.session_transaction() as stored:
        stored["user"] = "u-5"
    answer = client.get("/")

    assert [header for header in answer.headers if header[0] in ("Vary", "Set-Cookie")] == []
    expected = [{"event": {"name": "page.opened"}, "usr": {"id": "u-5"}}] if tracks else []
    assert delivered(app, emulator) == expected


def test_session_read_by_the_view_still_varies(make_app: MakeApp, analytics: ProductAnalytics) -> None:
    """Only our own reading is hidden: a view that uses the session varies by it, before and after an event."""
    app = make_app(DD_PA_USER_ID=lambda request: session.get("user", "u-0"))

    @app.get("/before")
    def before() -> str:
        found = session.get("user", "")
        analytics.track("page.opened")
        return str(found)

    @app.get("/after")
    def after() -> str:
        analytics.track("page.opened")
        return str(session.get("user", ""))

    client = app.test_client()

    assert client.get("/before").headers["Vary"] == "Cookie"
    assert client.get("/after").headers["Vary"] == "Cookie"


def test_session_written_by_a_callable_is_saved(make_app: MakeApp, analytics: ProductAnalytics) -> None:
    """A callable that keeps an id of its own in the session can do so."""

    def visit(request: Request) -> str:
        return str(session.setdefault("visit", "v-1"))

    app = make_app(DD_PA_SESSION_ID=visit)
    track_at_root(app, analytics)

    answer = app.test_client().get("/")

    assert answer.headers["Vary"] == "Cookie"
    assert answer.headers["Set-Cookie"].startswith("session=")
