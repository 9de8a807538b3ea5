from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from dd_pa import Emitter
from dd_pa.emulator import Emulator
from tests.core.wire import settings


@pytest.fixture
def emulator() -> Emulator:
    """An intake without a socket."""
    return Emulator()


@pytest.fixture
def make(emulator: Emulator) -> Iterator[Callable[..., Emitter]]:
    """Makes emitters that deliver to the emulator; `identity` and any setting can be given."""
    made: list[Emitter] = []

    def make_emitter(identity: Any = None, **changes: Any) -> Emitter:
        made.append(Emitter(settings(**changes), identity=identity, transport=httpx.ASGITransport(app=emulator)))
        return made[-1]

    yield make_emitter
    for emitter in made:
        emitter.close(0.0)
