from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from dd_pa.emulator import Emulator
from tests.emulator.client import Client


@pytest.fixture(scope="session")
def server() -> Iterator[tuple[Emulator, str]]:
    """One emulator on a real server for all tests: to start and stop it takes a fifth of a second."""
    emulator = Emulator()
    with emulator.running() as url:
        yield emulator, url


@pytest.fixture
def emulator(server: tuple[Emulator, str]) -> Emulator:
    """The running emulator, as new."""
    emulator, _ = server
    emulator.clear()
    emulator.clear_faults()
    emulator.api_keys = None
    return emulator


@pytest.fixture
def url(emulator: Emulator, server: tuple[Emulator, str]) -> str:
    """The base URL of the running emulator."""
    return server[1]


@pytest.fixture(params=["HTTP/1.1", "HTTP/2"])
def client(url: str, request: pytest.FixtureRequest) -> Iterator[Client]:
    """Sends to the running emulator, in either protocol."""
    http2 = request.param == "HTTP/2"
    # Without certificates to load for an https that is never used, a client is made in a moment.
    with httpx.Client(base_url=url, timeout=20, verify=False, http1=not http2, http2=http2) as http:  # noqa: S501
        yield Client(http)


@pytest.fixture(scope="session")
def engine_server() -> Iterator[tuple[Emulator, httpx.Client]]:
    """An emulator with its engine open, and a client, for all tests."""
    emulator = Emulator()
    with emulator.running() as url, httpx.Client(base_url=url, timeout=60) as http:
        yield emulator, http
    emulator.close()


@pytest.fixture
def engine(engine_server: tuple[Emulator, httpx.Client]) -> tuple[Emulator, httpx.Client]:
    """An emulator without events, and a client to ask it queries."""
    engine_server[0].clear()
    return engine_server
