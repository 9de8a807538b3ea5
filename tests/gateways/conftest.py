from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from dd_pa import Emitter, Settings
from dd_pa.emulator import Emulator

SESSION = "2b1b778e-9ef6-45d6-89b8-e68ca6ceb436"
ANOTHER = "7d1b778e-9ef6-45d6-89b8-e68ca6ceb437"
MakeEmitter = Callable[..., Emitter]


def cookie(session: str = SESSION) -> dict[str, str]:
    """Return the headers of a browser in a RUM session."""
    now = int(time.time() * 1000)
    return {"cookie": f"_dd_s_v2=id={session}&created={now - 1000}&expire={now + 900_000}&c=0"}


def settings(**changes: Any) -> Settings:
    given: dict[str, Any] = {"application_id": "shop", "api_key": "k", "spool_dir": None, "strict": True}
    return Settings(**(given | changes))


class Shop:
    """An emitter, and what arrived from it."""

    def __init__(self, emitter: Emitter, emulator: Emulator) -> None:
        self.emitter = emitter
        self._emulator = emulator

    def arrived(self) -> list[tuple[str, str | None, str | None, str | None]]:
        """Return name, user, account and session of each event so far, in the order of tracking."""
        assert self.emitter.flush(60)
        events = sorted(self._emulator.events, key=lambda event: event.get("number", 0))
        return [
            (event["event"]["name"], *(_id(event, key) for key in ("usr", "account", "session"))) for event in events
        ]


def _id(event: dict[str, Any], key: str) -> str | None:
    found: str | None = event.get(key, {}).get("id")
    return found


MakeShop = Callable[..., Shop]


@pytest.fixture
def make_shop() -> Iterator[MakeShop]:
    """Makes a shop of settings and an identity callable."""
    made: list[Emitter] = []

    def make(given: Settings, identity: Any) -> Shop:
        emulator = Emulator()
        made.append(Emitter(given, identity=identity, transport=httpx.ASGITransport(app=emulator)))
        return Shop(made[-1], emulator)

    yield make
    for emitter in made:
        emitter.close(0.0)
