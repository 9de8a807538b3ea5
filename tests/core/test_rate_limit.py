"""How a process comes to its share of a limit. What many come to together is in `tests/simulation/test_fleet.py`."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from dd_pa.delivery.rate_limit import CUT, DEEPEST_CUT, FIRST, FORGOTTEN, LEAST, RELIEF, RateLimit

Draw = Callable[[float, float], float]
AT_ONCE: Draw = lambda least, most: most  # noqa: E731 - a process that begins with the pause's end
STEP = 0.01


class Sender:
    """Sends as much as it may, or so many a second; the intake takes all at once."""

    def __init__(self, draw: Draw = AT_ONCE) -> None:
        self.rate_limit = RateLimit(draw)
        self.now = 100.0
        self.sent = 0

    def limit(self, wait: float = 1.0) -> None:
        """Hear a 429 now, and pause."""
        self.rate_limit.limited(self.now, self.now - STEP)
        self.now += wait
        self.rate_limit.allowance(self.now)

    def may_send(self) -> bool:
        return not self.rate_limit.is_set or self.rate_limit.allowance(self.now) > 0

    def send(self, seconds: float, most: float = 1e9) -> float:
        """Return how many were sent a second."""
        sent, began = 0, self.now
        while self.now < began + seconds:
            while self.may_send() and sent < most * (self.now - began):
                self.rate_limit.spend()
                self.rate_limit.succeeded(self.now)
                sent += 1
            if not self.may_send():
                self.rate_limit.held(self.now)
            self.now += STEP
        self.sent += sent
        return sent / seconds


def settled() -> Sender:
    """Return one that has met the limit twice."""
    sender = Sender()
    sender.limit()
    sender.send(8.0)
    sender.limit()
    return sender


def test_nothing_is_held_back_before_the_first_limit() -> None:
    assert not RateLimit(AT_ONCE).is_set


def test_it_starts_slowly_and_doubles() -> None:
    """From one a second; the clock of the doubling is that of the successes."""
    sender = Sender()
    sender.limit()
    rates = [sender.send(1.0) for _ in range(7)]

    assert sender.rate_limit.is_set
    assert rates[0] <= 2 * FIRST
    assert rates[6] == pytest.approx(2.0**6, rel=0.5)


@pytest.mark.parametrize("wait", [0.0, 3.0, 60.0])
def test_another_limit_leaves_a_part_of_what_was_achieved_with_the_pause(wait: float) -> None:
    """A quota of a minute that was gone in seconds makes a pace far below theirs, if not at once."""
    sender = settled()
    achieved = sender.send(10.0) * 10.0 / (10.0 + wait)
    before = sender.rate_limit.rate
    sender.limit(wait)

    assert sender.rate_limit.rate == pytest.approx(max(CUT * achieved, DEEPEST_CUT * before), rel=0.01)


def test_it_creeps_after_that() -> None:
    sender = settled()
    before = sender.send(1.0)

    assert 1.1 * before < sender.send(5.0) < 1.6 * before


def test_answers_to_what_was_in_flight_together_are_one_limit() -> None:
    sender = Sender()
    sender.limit()
    sender.send(8.0)
    for _ in range(50):
        sender.rate_limit.limited(sender.now, sender.now - STEP)
    rate = sender.rate_limit.rate
    sender.now += 1.0
    sender.rate_limit.allowance(sender.now)

    assert rate / 4 < sender.rate_limit.rate < rate


def test_a_late_answer_to_what_was_in_flight_at_a_limit_is_no_other_one() -> None:
    sender = settled()
    sender.send(5.0)
    started = sender.now - STEP
    sender.limit()
    rate = sender.rate_limit.rate
    sender.rate_limit.limited(sender.now, started)
    sender.now += 1.0
    sender.rate_limit.allowance(sender.now)

    assert sender.rate_limit.rate == rate


def test_who_sent_nothing_for_a_while_has_saved_up_a_moment_and_no_more() -> None:
    sender = settled()
    sender.send(5.0)
    sender.now += 10.0

    assert 1 <= sender.rate_limit.allowance(sender.now) <= sender.rate_limit.rate * 0.05


def test_not_all_go_on_at_the_end_of_a_pause() -> None:
    last, first = Sender(lambda least, most: least), Sender()
    for sender in (last, first):
        sender.limit()

    assert [last.may_send(), first.may_send()] == [False, True]


def test_it_never_stops_for_good() -> None:
    """An outage of 429 is over one day; then it comes back to what it was before, in seconds."""
    sender = Sender()
    sender.limit()
    sender.send(8.0)
    sender.limit()
    before = sender.rate_limit.rate
    for _ in range(100):
        sender.limit()
    assert sender.rate_limit.rate == LEAST
    sender.send(30.0)

    assert sender.rate_limit.rate >= before


def test_a_wider_limit_is_looked_for_after_a_while() -> None:
    """Then it doubles again, and does not creep."""
    sender = Sender()
    sender.limit()
    sender.send(6.0)
    sender.limit()
    sender.send(RELIEF / 2)
    creeping = sender.send(1.0)
    sender.send(RELIEF / 2)
    rate = sender.send(2.0)

    assert sender.send(2.0) > 2 * rate > 2 * creeping


def test_what_holds_nothing_back_does_not_grow_and_is_forgotten() -> None:
    """A process with little to send learns nothing of the limit."""
    sender = Sender()
    sender.limit()
    sender.send(8.0)
    rate = sender.rate_limit.rate
    sender.send(10.0, most=rate / 10)
    assert sender.rate_limit.rate <= rate * 1.5
    sender.send(FORGOTTEN, most=rate / 10)

    assert not sender.rate_limit.is_set


def test_processes_that_open_together_do_not_send_together() -> None:
    """Each has a phase of its own within the time of an event."""
    draws = random.Random(1)
    waits = []
    for _ in range(100):
        sender = Sender(draws.uniform)
        sender.limit()
        waits.append(sender.rate_limit.held(sender.now))

    assert min(waits) < 0.1 / FIRST
    assert max(waits) > 0.9 / FIRST
