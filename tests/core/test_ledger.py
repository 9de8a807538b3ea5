from __future__ import annotations

import logging
import threading

import pytest

from dd_pa import BuiltEvent
from dd_pa.delivery.ledger import Ledger
from dd_pa.observe.log import INTERVAL

EVENT = BuiltEvent(id="e" * 32, name="order.placed", occurred_at=0, body=b'{"card":"4111-1111"}')


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def ledger(clock: Clock) -> Ledger:
    """A ledger of nobody's events."""
    return Ledger(object(), clock=clock)


def test_each_trouble_is_said_once_per_interval(ledger: Ledger, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """A thousand drops are one line a minute, and the line says how many."""
    with caplog.at_level(logging.DEBUG, logger="dd_pa"):
        for _ in range(1000):
            ledger.count_dropped("overflow", EVENT)
        clock.now += INTERVAL - 0.1
        ledger.count_dropped("overflow", EVENT)
        clock.now += 0.1
        ledger.count_dropped("overflow", EVENT)

    assert caplog.messages == [
        f"event 'order.placed' dropped (overflow, {count} so far): there was no room "
        "(BUFFER_SIZE, BUFFER_MAX_BYTES, SPOOL_MAX_BYTES)"
        for count in (1, 1002)
    ]
    assert ledger.dropped == {"overflow": 1002}


def test_one_trouble_does_not_silence_another(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """Each reason has an interval of its own."""
    with caplog.at_level(logging.DEBUG, logger="dd_pa"):
        for reason in ("invalid", "unlinked", "before_send", "overflow", "expired", "closed"):
            ledger.count_dropped(reason, None, "order.placed")
        ledger.count_rejected(EVENT, "400", "Malformed payload")
        ledger.count_repaired("attribute 'total' is NaN")

    assert len(caplog.messages) == 8
    assert len({message.split(":")[0] for message in caplog.messages}) == 8


def test_what_close_lost_is_left_to_close_to_say(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """It logs the number in one line of its own."""
    ledger.count_dropped("shutdown", EVENT)

    assert (caplog.messages, ledger.dropped) == ([], {"shutdown": 1})


def test_no_attribute_is_logged_and_nothing_forges_a_line(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    """The id says which event; the intake's words are escaped and cut."""
    ledger.count_rejected(EVENT, "400", "bad\n[CRITICAL] \x1b[31m forged " + "x" * 500)
    ledger.count_dropped("overflow", EVENT)

    assert EVENT.id in caplog.messages[0]
    assert "4111-1111" not in caplog.text
    assert all("\n" not in message and "\x1b" not in message and len(message) < 350 for message in caplog.messages)


def test_counts_are_exact_under_threads(ledger: Ledger) -> None:
    """Any thread may drop or repair."""

    def count() -> None:
        for _ in range(5000):
            ledger.count_dropped("overflow", EVENT)
            ledger.count_repaired("x")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (ledger.dropped, ledger.repaired) == ({"overflow": 20_000}, 20_000)
