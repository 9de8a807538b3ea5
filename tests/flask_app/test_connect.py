from __future__ import annotations

import gc
import logging
import weakref
from typing import Any

import pytest
from blinker import Signal
from flask import Flask, appcontext_pushed, request_finished, session
from flask.testing import FlaskClient

from dd_pa.emulator import Emulator
from dd_pa_flask import ProductAnalytics
from tests.flask_app.conftest import MakeApp, Sent, delivered, state_of


@pytest.fixture
def order_shipped() -> Signal:
    """A signal of the application's own, as its shop sends it: the sender is the order."""
    return Signal("An order has left. Keyword: `parcels`.")


class Order:
    customer = "u-7"
    number = 12


def test_signal_fires_an_event(app: Flask, analytics: ProductAnalytics, order_shipped: Signal, sent: Sent) -> None:
    """Attributes and ids are callables of the sender and the keywords, or plain values."""
    analytics.connect(
        order_shipped,
        "order.shipped",
        attributes=lambda order, parcels: {"order": order.number, "parcels": parcels},
        usr=lambda order, **_: order.customer,
        account="acme",
    )
    analytics.connect(order_shipped, "order.left", {"kind": "fixed"}, usr=7)

    with app.app_context():
        order_shipped.send(Order(), parcels=2)

    assert sent() == [
        {"event": {"name": "order.left"}, "usr": {"id": "7"}, "kind": "fixed"},
        {
            "event": {"name": "order.shipped"},
            "usr": {"id": "u-7"},
            "account": {"id": "acme"},
            "order": 12,
            "parcels": 2,
        },
    ]


def test_when_decides(app: Flask, analytics: ProductAnalytics, order_shipped: Signal, sent: Sent) -> None:
    """An event that is not wanted asks for no attributes."""
    analytics.connect(
        order_shipped,
        "order.split",
        lambda order, parcels: {"rest": 6 // (parcels - 1)},
        when=lambda order, parcels: parcels > 1,
        usr="u-1",
    )

    with app.app_context():
        for parcels in (1, 3):
            order_shipped.send(Order(), parcels=parcels)

    assert sent() == [{"event": {"name": "order.split"}, "usr": {"id": "u-1"}, "rest": 3}]


def test_one_connection_serves_all_apps(
    make_app: MakeApp, analytics: ProductAnalytics, emulator: Emulator, order_shipped: Signal
) -> None:
    """It can be made before any app was; the sender decides whose event it is, else the current app."""
    analytics.connect(order_shipped, "order.shipped", usr="u-1")
    first, second = make_app(), make_app(DD_PA_SERVICE="second")

    with first.app_context():
        order_shipped.send(second)
    assert delivered(second, emulator) == [
        {"event": {"name": "order.shipped"}, "usr": {"id": "u-1"}, "service": "second"}
    ]
    with first.app_context():
        order_shipped.send(Order())

    assert state_of(first).emitter.stats().queued == 1


def test_flasks_own_signals_are_signals(
    app: Flask, client: FlaskClient, analytics: ProductAnalytics, sent: Sent
) -> None:
    """Their sender is the app."""
    connection = analytics.connect(
        request_finished, "page.answered", lambda app, response: {"status": response.status_code}, usr="u-1"
    )
    try:
        client.get("/nowhere")
    finally:
        connection.disconnect()

    assert sent() == [{"event": {"name": "page.answered"}, "usr": {"id": "u-1"}, "status": 404}]


def test_event_of_a_request_is_linked_to_it(make_app: MakeApp, analytics: ProductAnalytics, emulator: Emulator) -> None:
    """The identity is that of the request which sent the signal; reading Flask's session for it is not seen outside."""
    app = make_app(DD_PA_USER_ID=lambda request: request.args.get("user"))
    page_left = Signal()
    analytics.connect(page_left, "page.left", lambda sender: {"visits": session.get("visits", 0)})

    @app.get("/")
    def page() -> str:
        page_left.send(app)
        return "ok"

    answer = app.test_client().get("/?user=u-3")

    assert "Vary" not in answer.headers
    assert delivered(app, emulator) == [{"event": {"name": "page.left"}, "usr": {"id": "u-3"}, "visits": 0}]


def test_signal_before_the_session_is_open(app: Flask, analytics: ProductAnalytics, sent: Sent) -> None:
    """Flask's earliest signal is sent before a request has a session."""
    connection = analytics.connect(appcontext_pushed, "context.pushed", usr="u-1")
    try:
        app.add_url_rule("/", view_func=lambda: "ok")
        assert app.test_client().get("/").text == "ok"
    finally:
        connection.disconnect()

    assert sent() == [{"event": {"name": "context.pushed"}, "usr": {"id": "u-1"}}]


def test_disconnected_signal_fires_nothing(
    app: Flask, analytics: ProductAnalytics, order_shipped: Signal, sent: Sent
) -> None:
    """`disconnect()` undoes `connect()`, once and for all."""
    connection = analytics.connect(order_shipped, "order.shipped", usr="u-1")
    connection.disconnect()
    connection.disconnect()

    with app.app_context():
        order_shipped.send(Order())

    assert order_shipped.receivers == {}
    assert sent() == []


def test_connection_needs_no_reference(
    app: Flask, analytics: ProductAnalytics, order_shipped: Signal, sent: Sent
) -> None:
    """Like a decorator, `connect()` can be called for its effect."""
    analytics.connect(order_shipped, "order.shipped", usr="u-1")
    gc.collect()

    with app.app_context():
        order_shipped.send(Order())

    assert [event["event"]["name"] for event in sent()] == ["order.shipped"]


def test_factory_connects_for_its_app_only(
    config: dict[str, Any], analytics: ProductAnalytics, order_shipped: Signal
) -> None:
    """Each app of a factory fires once, however many there are, and takes its connection along when it is dropped."""

    def create_app() -> Flask:
        app = Flask(__name__)
        app.config.update(config)
        analytics.init_app(app)
        analytics.connect(order_shipped, "order.shipped", lambda order: {"app": app.name}, usr="u-1", app=app)
        return app

    apps = [create_app() for _ in range(3)]
    with apps[1].app_context():
        order_shipped.send(Order())
        order_shipped.send(apps[2])

    assert [state_of(app).emitter.stats().queued for app in apps] == [0, 1, 1]
    dropped = [weakref.ref(app) for app in apps]
    for app in apps:
        analytics.close(app)
    del apps, app
    gc.collect()
    assert [reference() for reference in dropped] == [None, None, None]
    assert len(order_shipped.receivers) == 1  # one for all apps, however many there were


def test_connecting_an_app_without_setup_says_what_to_do(analytics: ProductAnalytics, order_shipped: Signal) -> None:
    """In a factory, `init_app()` comes first."""
    with pytest.raises(RuntimeError, match=r"call analytics\.init_app"):
        analytics.connect(order_shipped, "order.shipped", app=Flask("forgotten"))

    assert order_shipped.receivers == {}


def test_app_without_setup_is_left_alone(analytics: ProductAnalytics, order_shipped: Signal) -> None:
    """A process may have apps that send the same signals and have nothing to do with analytics."""
    analytics.connect(order_shipped, "order.shipped", usr="u-1")

    with Flask("other").app_context():
        assert [answer for _, answer in order_shipped.send(Order())] == [None]


def test_signal_outside_of_an_app_is_said_once(
    analytics: ProductAnalytics, order_shipped: Signal, caplog: pytest.LogCaptureFixture
) -> None:
    """In a thread without an app context nobody knows which app's event it is: the sender is not bothered."""
    analytics.connect(order_shipped, "order.shipped", usr="u-1")

    with caplog.at_level(logging.WARNING, "dd_pa"):
        order_shipped.send(Order())
        order_shipped.send(Order())

    assert [record.getMessage().split(",")[0] for record in caplog.records] == [
        "the signal of 'order.shipped' was sent outside of an app context"
    ]


@pytest.mark.parametrize("option", ["attributes", "when", "usr", "account"])
def test_failing_callable_raises_in_strict_mode(
    app: Flask, analytics: ProductAnalytics, order_shipped: Signal, option: str
) -> None:
    """In tests and development the error reaches whoever sent the signal."""
    options: dict[str, Any] = {"usr": "u-1", option: lambda order: 1 // 0}
    analytics.connect(order_shipped, "order.shipped", **options)

    with app.app_context(), pytest.raises(ZeroDivisionError):
        order_shipped.send(Order())


@pytest.mark.parametrize("option", ["attributes", "when", "usr", "account"])
def test_failing_callable_never_reaches_a_lenient_sender(
    make_app: MakeApp, analytics: ProductAnalytics, order_shipped: Signal, option: str
) -> None:
    """In production the event is dropped and counted."""
    app = make_app(DD_PA_STRICT=False)
    options: dict[str, Any] = {"usr": "u-1", option: lambda order: 1 // 0}
    analytics.connect(order_shipped, "order.shipped", **options)

    with app.app_context():
        order_shipped.send(Order())

    assert state_of(app).emitter.stats().dropped == {"invalid": 1}


def test_disabled_app_calls_no_callable(make_app: MakeApp, analytics: ProductAnalytics, order_shipped: Signal) -> None:
    """With `DD_PA_ENABLED` false nothing is worked out."""
    app = make_app(DD_PA_ENABLED=False)
    analytics.connect(order_shipped, "order.shipped", lambda order: {"never": 1 // 0}, usr="u-1")

    with app.app_context():
        order_shipped.send(Order())

    assert state_of(app).emitter.stats().dropped == {}


def test_what_is_no_signal_is_refused(analytics: ProductAnalytics) -> None:
    """Swapped arguments fail where they were written."""
    with pytest.raises(TypeError, match="needs a blinker signal, not str"):
        analytics.connect("order.shipped", "order_shipped")  # type: ignore[arg-type] # the mistake


def test_connect_keeps_nothing_on_the_extension(analytics: ProductAnalytics, order_shipped: Signal) -> None:
    """The signal holds the connection."""
    analytics.connect(order_shipped, "order.shipped")

    assert vars(analytics) == {}


def test_client_of_a_connected_page_sees_no_difference(
    app: Flask, client: FlaskClient, analytics: ProductAnalytics
) -> None:
    """A connected signal of Flask's changes no header."""
    app.add_url_rule("/", view_func=lambda: "ok")
    before = client.get("/").headers
    connection = analytics.connect(request_finished, "page.answered", usr="u-1")
    try:
        after = client.get("/").headers
    finally:
        connection.disconnect()

    assert list(after) == list(before)
