from __future__ import annotations

import gc
import os
import threading
import weakref
from typing import Any

import pytest
from flask import Flask, request_finished
from flask.testing import FlaskClient

from dd_pa import SettingsError
from dd_pa.emulator import Emulator
from dd_pa_flask import ProductAnalytics
from tests.flask_app.conftest import MakeApp, Sent, delivered, state_of
from tests.waiting import wait_until

OTHER_APPLICATION = "22222222-2222-4222-8222-222222222222"


def test_event_of_a_view_arrives(app: Flask, client: FlaskClient, analytics: ProductAnalytics, sent: Sent) -> None:
    """What a view tracks is delivered with its attributes and ids, and `track()` returns the event's id."""

    @app.post("/checkout")
    def checkout() -> dict[str, Any]:
        event_id = analytics.track("checkout.completed", {"order": {"total": 42.5}}, usr="u-1", account="acme")
        return {"event": event_id}

    answer = client.post("/checkout")

    assert len(answer.get_json()["event"]) == 32
    assert sent() == [
        {
            "event": {"name": "checkout.completed"},
            "usr": {"id": "u-1"},
            "account": {"id": "acme"},
            "order": {"total": 42.5},
        }
    ]


def test_app_given_to_the_constructor_is_set_up(config: dict[str, Any]) -> None:
    """`ProductAnalytics(app)` does what `init_app(app)` does."""
    app = Flask(__name__)
    app.config.update(config)

    ProductAnalytics(app)

    assert state_of(app).emitter.settings.intake_url == config["DD_PA_INTAKE_URL"]


@pytest.mark.parametrize("again", [pytest.param(False, id="same-instance"), pytest.param(True, id="another-instance")])
def test_second_setup_of_an_app_is_refused(app: Flask, analytics: ProductAnalytics, again: bool) -> None:
    """An app is set up once; the error says how to mend it, and the first set-up stays."""
    state = state_of(app)

    with pytest.raises(RuntimeError, match=r"set up on .* already: call init_app\(\) once for each app"):
        (ProductAnalytics() if again else analytics).init_app(app)

    assert state_of(app) is state


def test_apps_of_one_extension_are_apart(make_app: MakeApp, analytics: ProductAnalytics, emulator: Emulator) -> None:
    """Two apps of one process send with their own key and application, and see only their own events."""
    shop = make_app()
    admin = make_app(DD_PA_APPLICATION_ID=OTHER_APPLICATION, DD_PA_API_KEY="another-key", DD_PA_SERVICE="admin")
    emulator.api_keys = {"another-key"}
    try:
        with shop.app_context():
            analytics.track("order.placed", usr="u-1")
            with admin.app_context():
                analytics.track("order.refunded", usr="u-2")
            assert delivered(admin, emulator) == [
                {"event": {"name": "order.refunded"}, "usr": {"id": "u-2"}, "service": "admin"}
            ]
            assert state_of(shop).emitter.stats().delivered == 0
    finally:
        emulator.api_keys = None


def test_extension_keeps_nothing_of_its_apps(make_app: MakeApp, analytics: ProductAnalytics) -> None:
    """All state is the app's, so that one instance can be a global of the project."""
    make_app()

    assert vars(analytics) == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"DD_PA_API_KEY": None}, "^DD_PA_API_KEY: is missing", id="missing"),
        pytest.param({"DD_PA_SITE": "datadog.example", "DD_PA_INTAKE_URL": None}, "^DD_PA_SITE: ", id="bad-site"),
        pytest.param({"DD_PA_TIMEOUT": "soon"}, "^DD_PA_TIMEOUT: must be a number", id="type"),
        pytest.param(
            {"DD_PA_APLICATION_ID": "x"}, "^DD_PA_APLICATION_ID: .*did you mean APPLICATION_ID", id="misspelt"
        ),
        pytest.param({"DD_PA_USER_ID": "shop.nowhere.user"}, "^DD_PA_USER_ID: cannot import", id="dotted-path"),
    ],
)
def test_bad_configuration_names_its_key(
    config: dict[str, Any], analytics: ProductAnalytics, changes: dict[str, Any], message: str
) -> None:
    """A wrong value fails when the app is made, with the key as the app wrote it, and leaves no half of a set-up."""
    app = Flask(__name__)
    app.config.update(config | changes)

    with pytest.raises(SettingsError, match=message):
        analytics.init_app(app)

    assert "dd_pa" not in app.extensions


def test_environment_fills_what_the_configuration_leaves_out(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Datadog's variables and `DD_PA_*` are read from the environment, and the app's configuration wins."""
    monkeypatch.setenv("DD_SERVICE", "from-dd")
    monkeypatch.setenv("DD_PA_ENV", "from-dd-pa")
    monkeypatch.setenv("DD_PA_VERSION", "from-dd-pa")

    settings = state_of(make_app(DD_PA_VERSION="from-config")).emitter.settings

    assert (settings.service, settings.env, settings.version) == ("from-dd", "from-dd-pa", "from-config")


@pytest.mark.parametrize(
    ("changes", "strict"),
    [
        pytest.param({"TESTING": True}, True, id="testing"),
        pytest.param({"TESTING": False}, False, id="production"),
        pytest.param({"TESTING": False, "DEBUG": True}, True, id="debug"),
        pytest.param({"TESTING": True, "DD_PA_STRICT": False}, False, id="explicit"),
    ],
)
def test_strict_follows_debug_and_testing(make_app: MakeApp, changes: dict[str, Any], strict: bool) -> None:
    """Strict is the default where mistakes should be seen, and can be set."""
    assert state_of(make_app(**changes)).emitter.settings.strict is strict


def test_configuration_is_read_once(make_app: MakeApp) -> None:
    """Changes after `init_app()` are not reflected, but for the flags of the app itself."""
    app = make_app(TESTING=False)
    app.config.update(DD_PA_SERVICE="late")

    settings = state_of(app).emitter.settings

    assert (settings.strict, settings.service) == (False, None)


def test_disabled_needs_no_key_and_sends_nothing(config: dict[str, Any], analytics: ProductAnalytics) -> None:
    """With `DD_PA_ENABLED` false views run, callables of `tracked()` do not, and no thread starts."""
    app = Flask(__name__)
    app.config.update(config | {"DD_PA_ENABLED": False, "DD_PA_API_KEY": None})
    analytics.init_app(app)

    @app.get("/")
    @analytics.tracked("page.viewed", attributes=lambda request, response: {"never": 1 // 0})
    def page() -> dict[str, Any]:
        return {"event": analytics.track("page.opened", usr="u-1")}

    answer = app.test_client().get("/")

    assert answer.get_json() == {"event": None}
    assert state_of(app).emitter.stats().state == "idle"


def test_tracking_without_an_app_says_what_to_do(analytics: ProductAnalytics) -> None:
    """Outside of an app context the error names the fix, as Flask's own does."""
    with pytest.raises(RuntimeError, match=r"with app\.app_context\(\)"):
        analytics.track("order.placed", usr="u-1")


def test_tracking_on_an_app_without_setup_says_what_to_do(analytics: ProductAnalytics) -> None:
    """An app that was never set up is told apart from no app at all."""
    app = Flask("forgotten")

    with app.app_context(), pytest.raises(RuntimeError, match=r"not set up on 'forgotten': call analytics\.init_app"):
        analytics.track("order.placed", usr="u-1")


def test_fifty_apps_leave_no_thread(config: dict[str, Any], analytics: ProductAnalytics, emulator: Emulator) -> None:
    """Making an app starts no thread, and one that has tracked loses its thread when it is closed."""
    before = set(threading.enumerate())
    apps = [Flask(f"app-{number}") for number in range(50)]
    for app in apps:
        app.config.update(config)
        analytics.init_app(app)
    assert [thread for thread in set(threading.enumerate()) - before if thread.name == "dd-pa-delivery"] == []

    for app in apps[:5]:
        with app.app_context():
            analytics.track("order.placed", usr="u-1")
        analytics.close(app)

    assert len(emulator.wait_for(5, 30)) == 5
    ended = [thread for thread in set(threading.enumerate()) - before if thread.name == "dd-pa-delivery"]
    for thread in ended:  # on a busy machine one outlives close(), which keeps its deadline
        thread.join(30)
    assert [thread for thread in ended if thread.is_alive()] == []


def test_apps_that_nobody_closes_leave_nothing(
    config: dict[str, Any], analytics: ProductAnalytics, emulator: Emulator, sent: Sent, app: Flask
) -> None:
    """A fresh app per test, forgotten at its end: no app, thread or file is left, and no event is lost."""
    with app.app_context():  # the transport's runtime is made once per process, and now
        analytics.track("shop.opened", usr="u-1")
    assert len(sent()) == 1
    files = len(os.listdir("/proc/self/fd"))
    before = set(threading.enumerate())
    dropped = []
    for number in range(50):
        app = Flask(f"app-{number}")
        app.config.update(config)
        analytics.init_app(app)
        analytics.connect(request_finished, "page.answered", lambda *_, own=app, **__: {"app": own.name}, app=app)
        with app.app_context():
            analytics.track("order.placed", usr="u-1")
        dropped.append(weakref.ref(app))
    del app

    def ours() -> list[threading.Thread]:
        """Return the threads of the apps; the emulator has its own."""
        new = set(threading.enumerate()) - before
        return [thread for thread in new if thread.name in ("dd-pa-delivery", "dd-pa-closing")]

    def is_clean() -> bool:
        gc.collect()  # does nothing while another thread collects
        forgotten = all(reference() is None for reference in dropped)
        return forgotten and not ours() and len(os.listdir("/proc/self/fd")) <= files

    emulator.wait_for(51, 60)
    wait_until(is_clean, lambda: ([one() for one in dropped if one()], ours(), os.listdir("/proc/self/fd")))


def test_dropped_app_is_collected(config: dict[str, Any], analytics: ProductAnalytics) -> None:
    """Nothing keeps an app alive: neither the extension nor signals nor an emitter that has been closed."""
    app = Flask(__name__)
    app.config.update(config)
    analytics.init_app(app)
    with app.app_context():
        analytics.track("order.placed", usr="u-1")
    analytics.close(app)
    dropped = weakref.ref(app)

    del app
    gc.collect()

    assert dropped() is None


def test_event_after_close_is_counted(make_app: MakeApp, analytics: ProductAnalytics) -> None:
    """An app that was closed, and has no spool to keep them, refuses events without an error."""
    with make_app(DD_PA_SPOOL_DIR=None).app_context():
        analytics.close()

        assert analytics.track("order.placed", usr="u-1") is None
        assert analytics.emitter.stats().dropped == {"closed": 1}
