from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from dd_pa.emulator import Emulator
from dd_pa_flask import AppState, ProductAnalytics

MakeApp = Callable[..., Flask]
Sent = Callable[[], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def served() -> Iterator[tuple[Emulator, str]]:
    """An emulator on a real port; starting one for each test would take most of the time."""
    emulator = Emulator()
    with emulator.running() as url:
        yield emulator, url


@pytest.fixture
def emulator(served: tuple[Emulator, str]) -> Emulator:
    served[0].clear()
    return served[0]


@pytest.fixture(autouse=True)
def _clean_environ(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DD_API_KEY", "DD_SITE", "DD_SERVICE", "DD_ENV", "DD_VERSION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def analytics() -> ProductAnalytics:
    return ProductAnalytics()


@pytest.fixture
def config(served: tuple[Emulator, str]) -> dict[str, Any]:
    """What an app under test is configured with; its application is its own, as one before may still be delivering."""
    return {
        "TESTING": True,
        "SECRET_KEY": "not-a-secret",
        "DD_PA_APPLICATION_ID": str(uuid.uuid4()),
        "DD_PA_API_KEY": "a-key",
        "DD_PA_INTAKE_URL": served[1],
    }


@pytest.fixture
def make_app(
    config: dict[str, Any], analytics: ProductAnalytics, emulator: Emulator, request: pytest.FixtureRequest
) -> Iterator[MakeApp]:
    """A factory of apps named after the test's module, whose threads have ended when the test has."""
    apps: list[Flask] = []

    def make(**changes: Any) -> Flask:
        app = Flask(request.module.__name__)
        app.config.update(config | changes)
        analytics.init_app(app)
        apps.append(app)
        return app

    yield make
    for app in apps:
        analytics.close(app)


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def raw_client(app: Flask) -> FlaskClient:
    """A client that sends the `Cookie` header it is given; the usual one writes its own over it."""
    return app.test_client(use_cookies=False)


@pytest.fixture
def sent(app: Flask, emulator: Emulator) -> Sent:
    """What the app's events look like at the emulator, once all are delivered."""
    return lambda: delivered(app, emulator)


def delivered(app: Flask, emulator: Emulator, patience: float = 30) -> list[dict[str, Any]]:
    """Return the events of `app` that the emulator has, by name, without what is the same or new in each of them."""
    assert state_of(app).emitter.flush(patience)
    events = [event for event in emulator.events if event["application"]["id"] == app.config["DD_PA_APPLICATION_ID"]]
    events.sort(key=lambda event: (event["event"]["name"], str(event.get("usr"))))  # many are under way at once
    return [
        {key: value for key, value in event.items() if key not in ("type", "application", "dd_pa")} for event in events
    ]


def state_of(app: Flask) -> AppState:
    state = app.extensions["dd_pa"]
    assert isinstance(state, AppState)
    return state
