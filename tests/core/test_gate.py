from __future__ import annotations

from collections.abc import Callable

import pytest

from dd_pa import RetryPolicy
from dd_pa.delivery.gate import HURRIED_WAIT, Gate
from dd_pa.delivery.outcome import Outcome, Verdict

RETRY = Outcome(verdict=Verdict.RETRY, reason="503")
PAUSE = Outcome(verdict=Verdict.PAUSE, reason="403")
MOST: Callable[[float, float], float] = lambda least, most: most  # noqa: E731 - a jitter that always draws the longest
POLICY = RetryPolicy(base=1.0, cap=60.0, pause=5.0, draw=MOST)


def fail_alone(gate: Gate, outcome: Outcome = RETRY) -> float:
    """Let one probe fail as soon as the gate opens; return how long it closes."""
    now = max(gate.opens_at, 1.0)
    gate.failed(outcome, now + 0.5, started=now)
    return gate.opens_at - (now + 0.5)


@pytest.mark.parametrize(
    ("failures", "wait"), [(1, 1.0), (2, 2.0), (3, 4.0), (6, 32.0), (7, 60.0), (100, 60.0), (10_000, 60.0)]
)
def test_the_policy_doubles_up_to_its_cap(failures: int, wait: float) -> None:
    """Exponential, and no overflow after a year of failures."""
    assert POLICY.wait(failures) == wait


def test_the_jitter_is_full() -> None:
    """Drawn between nothing and the whole wait, so that processes that failed together do not come back together."""
    bounds: list[tuple[float, float]] = []

    def draw(least: float, most: float) -> float:
        bounds.append((least, most))
        return least

    assert (RetryPolicy(draw=draw).wait(3), bounds) == (0.0, [(0.0, 4.0)])


def test_a_healthy_gate_is_as_wide_as_it_can() -> None:
    """Nothing waits before the first failure."""
    gate = Gate(POLICY, width=100)

    assert (gate.room(0.0), gate.healthy, gate.paused_by) == (100, True, None)


def test_a_failure_closes_and_leaves_room_for_one_probe() -> None:
    """Nothing may be sent until the wait is over, then one request."""
    gate = Gate(POLICY, width=100)
    gate.failed(RETRY, now=10.0, started=9.0)

    assert [gate.room(now) for now in (10.0, 10.99, 11.0)] == [0, 0, 1]
    assert not gate.healthy


def test_failures_in_a_row_wait_longer_and_longer() -> None:
    """Each failed probe doubles the wait; a success begins anew."""
    gate = Gate(POLICY, width=100)

    assert [fail_alone(gate) for _ in range(8)] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    gate.succeeded(started=gate.opens_at)
    assert fail_alone(gate) == 1.0


def test_requests_that_were_in_flight_together_fail_once() -> None:
    """A hundred failures of one moment are one, even when the jitter drew no wait at all."""
    gate = Gate(RetryPolicy(base=1.0, draw=lambda least, most: least if most == 1.0 else most), width=100)
    for number in range(100):
        gate.failed(RETRY, now=10.0 + number, started=9.0)

    assert gate.opens_at == 10.0


def test_the_longest_asked_wait_wins() -> None:
    """A wait that the intake names counts from each answer, and is not cut by our own cap."""
    gate = Gate(POLICY, width=100)
    gate.failed(Outcome(verdict=Verdict.RETRY, reason="429", wait=300.0), now=10.0, started=9.0)
    gate.failed(Outcome(verdict=Verdict.RETRY, reason="429", wait=2.0), now=11.0, started=9.0)
    gate.failed(RETRY, now=12.0, started=9.0)

    assert gate.opens_at == 310.0


def test_a_wait_of_nothing_is_no_wish() -> None:
    """ "Come back in 0 seconds" leaves our own backoff in force."""
    gate = Gate(POLICY, width=100)
    gate.failed(Outcome(verdict=Verdict.RETRY, reason="429", wait=0.0), now=10.0, started=9.0)

    assert gate.opens_at == 11.0


def test_each_success_doubles_the_room() -> None:
    """A slow start: 1, 2, 4 … so that a recovering intake is not flooded."""
    gate = Gate(POLICY, width=20)
    gate.failed(RETRY, now=10.0, started=9.0)
    rooms = []
    for _ in range(6):
        rooms.append(gate.room(11.0))
        gate.succeeded(started=11.0)

    assert rooms == [1, 2, 4, 8, 16, 20]


def test_an_answer_to_an_older_request_proves_nothing() -> None:
    """A success of a request sent before the failure neither widens the gate nor ends a pause."""
    gate = Gate(POLICY, width=100)
    gate.failed(PAUSE, now=10.0, started=9.0)
    gate.succeeded(started=9.5)

    assert (gate.paused_by, gate.healthy, gate.room(gate.opens_at)) == ("403", False, 1)
    gate.succeeded(started=gate.opens_at)
    assert (gate.paused_by, gate.healthy) == (None, True)


def test_a_pause_has_waits_of_its_own() -> None:
    """Without jitter, from `pause` up to the cap: the key will not become valid sooner."""
    gate = Gate(POLICY, width=100)

    assert [fail_alone(gate, PAUSE) for _ in range(6)] == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]


def test_a_failure_does_not_end_a_pause() -> None:
    """A 503 after a 403 says nothing about the key."""
    gate = Gate(POLICY, width=100)
    fail_alone(gate, PAUSE)
    fail_alone(gate, RETRY)

    assert gate.paused_by == "403"


def test_hurry_opens_now_and_keeps_waits_short() -> None:
    """At the end of the process no wait may outlast it, not even one that the intake asked for."""
    gate = Gate(POLICY, width=100)
    gate.failed(Outcome(verdict=Verdict.RETRY, reason="429", wait=900.0), now=10.0, started=9.0)
    gate.hurry()

    assert gate.room(10.0) == 1
    gate.failed(Outcome(verdict=Verdict.RETRY, reason="429", wait=900.0), now=11.0, started=10.0)
    assert gate.opens_at == 11.0 + HURRIED_WAIT
