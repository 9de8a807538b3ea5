from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import django
import pytest

from dd_pa import BuiltEvent
from dd_pa.emulator import Emulator
from dd_pa.observe.signals import event_queued

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.django_app.settings")
django.setup()

from django.contrib.auth.models import User  # noqa: E402 - models need django.setup()
from django.core.management.color import no_style  # noqa: E402
from django.core.management.sql import sql_flush  # noqa: E402
from django.db import connections  # noqa: E402
from django.test import AsyncClient, Client, override_settings  # noqa: E402
from django.test.utils import (  # noqa: E402
    setup_databases,
    setup_test_environment,
    teardown_databases,
    teardown_test_environment,
)

from dd_pa_django import get_emitter  # noqa: E402

Events = Callable[[], list[dict[str, Any]]]
Configure = Callable[..., None]


@pytest.fixture(scope="session", autouse=True)
def _project() -> Iterator[None]:
    """Databases in memory that all threads share, as Django's own test runner makes them."""
    setup_test_environment(debug=False)
    names = setup_databases(verbosity=0, interactive=False, serialized_aliases=set())
    yield
    teardown_databases(names, verbosity=0)
    teardown_test_environment()


@pytest.fixture(scope="session")
def _emulator() -> Iterator[tuple[Emulator, str]]:
    emulator = Emulator()
    with emulator.running() as url:
        yield emulator, url


@pytest.fixture
def emulator(_emulator: tuple[Emulator, str]) -> Emulator:
    """The Product Analytics that takes this test's events."""
    _emulator[0].clear()
    return _emulator[0]


@pytest.fixture
def configure(_emulator: tuple[Emulator, str]) -> Iterator[Configure]:
    """Change keys of DD_PA until the end of the test."""
    overrides: list[Any] = []

    def change(**keys: object) -> None:
        given = {"APPLICATION_ID": "shop", "API_KEY": "test-key", "INTAKE_URL": _emulator[1], "STRICT": True} | keys
        overrides.append(override_settings(DD_PA=given))
        overrides[-1].enable()

    yield change
    for override in reversed(overrides):
        override.disable()


@pytest.fixture(autouse=True)
def _configured(configure: Configure, emulator: Emulator) -> Iterator[None]:
    """Each test has its own emitter and empty tables, and commits for real."""
    configure()
    yield
    for connection in connections.all():
        connection.ops.execute_sql_flush(sql_flush(no_style(), connection))
        connection.close()


@pytest.fixture
def events(emulator: Emulator) -> Iterator[Events]:
    """What was delivered, in the order of the calls, without the parts that are the same or new in each event."""
    order: list[str] = []

    def note(sender: object, event: BuiltEvent) -> None:
        order.append(event.id)

    def delivered() -> list[dict[str, Any]]:
        assert get_emitter().flush(60)

        same = {"type", "application", "dd_pa"}
        arrived = {event["dd_pa"]["event_id"]: event for event in emulator.events}  # of a test before this one, too
        own = [arrived[event_id] for event_id in order if event_id in arrived]
        return [{key: value for key, value in event.items() if key not in same} for event in own]

    with event_queued.connected_to(note):
        yield delivered


@pytest.fixture
def ada(_configured: None) -> User:
    """A user who can log in."""
    return User.objects.create_user("ada", email="ada@example.com", password="secret")


@pytest.fixture
def client() -> Client:
    """Nobody's browser."""
    return Client()


@pytest.fixture
def ada_client(client: Client, ada: User) -> Client:
    """The browser of a user who is logged in."""
    client.force_login(ada)
    return client


@pytest.fixture
def ada_async_client(ada: User) -> AsyncClient:
    """The same, for async views."""
    client = AsyncClient()
    client.force_login(ada)
    return client
