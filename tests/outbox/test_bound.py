"""Answers that wait to be written hold the delivery back, and no longer than until they are."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dd_pa import BuiltEvent, Emitter, Settings
from dd_pa.delivery import alarm
from dd_pa.emulator import Emulator
from dd_pa.outbox import OutboxDeliverer, deliverer
from dd_pa.store.event_queue import Row

ROWS = 200


class Rows:
    """A table in memory, which claims everything at once."""

    def __init__(self, events: Sequence[BuiltEvent]) -> None:
        self._events = list(enumerate(events))
        self.settled: list[int] = []
        self.writes = 0

    def claim(self, limit: int, *, owner: str, now: int, until: int) -> list[Row]:
        given, self._events = self._events[:limit], self._events[limit:]
        return [Row(number, event.body) for number, event in given]

    def renew(self, ids: Sequence[int], *, owner: str, until: int) -> list[int]:
        return list(ids)

    def release(self, ids: Sequence[int], *, owner: str) -> None:
        raise AssertionError(ids)

    def settle(self, ids: Sequence[int]) -> None:
        self.settled += ids
        self.writes += 1

    def reject(self, ids: Sequence[int], *, reason: str, detail: str, now: int) -> None:
        raise AssertionError(reason)

    def oldest(self) -> int | None:
        return None

    def reset(self) -> None:
        pass


def test_the_delivery_goes_on_when_there_is_room_for_answers_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It had looked, been handed nothing, and would look again by itself only at its next tick."""
    monkeypatch.setattr(alarm, "TICK", 3600.0)
    monkeypatch.setattr(deliverer, "PATIENCE", 5.0)
    with Emulator().running() as intake:
        settings = Settings(
            application_id="shop", api_key="k" * 32, intake_url=intake, strict=True, spool_dir=None, concurrency=4
        )
        with Emitter(settings) as emitter:
            events = [emitter.integration.build("order.paid", usr="u-1") for _ in range(ROWS)]
        table = Rows([event for event in events if event is not None])
        assert OutboxDeliverer(settings, table).run(once=True)
    assert sorted(table.settled) == list(range(ROWS))
    assert table.writes >= ROWS / 4  # as no more than so many may wait
