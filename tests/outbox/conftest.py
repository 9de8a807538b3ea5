from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from dd_pa.outbox import OutboxTable
from tests.outbox.tables import ALL, Outbox, outbox

Make = Callable[[str], Outbox]


@pytest.fixture(scope="module")
def _outboxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """Makes each outbox once for all tests of a module."""
    known: dict[str, Outbox] = {}
    with ExitStack() as stack:

        def make(name: str) -> Outbox:
            if name not in known:
                known[name] = stack.enter_context(outbox(name, tmp_path_factory.mktemp(name)))
            return known[name]

        yield make


@pytest.fixture(params=ALL)
def made(request: pytest.FixtureRequest, _outboxes: Make) -> Outbox:
    """An outbox without rows, of each library on each kind of server."""
    found = _outboxes(request.param)
    found.execute("DELETE FROM dd_pa_outbox")
    return found


@pytest.fixture
def table(made: Outbox) -> OutboxTable:
    """What a deliverer sees of it."""
    return made.table()
