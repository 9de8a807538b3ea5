from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest

from dd_pa import RetryPolicy
from dd_pa.delivery.destination_gate import HURRIED_WAIT, OLDER, ROW, Gate
from dd_pa.network.outcome import Outcome, Verdict

RETRY = Outcome(verdict=Verdict.RETRY, reason="503")
PAUSE = Outcome(verdict=Verdict.PAUSE, reason="403")
MOST: Callable[[float, float], float] = lambda least, most: most  # noqa: E731 - a jitter that always draws the longest
LEAST: Callable[[float, float], float] = lambda least, most: least  # noqa: E731 - the shortest
POLICY = RetryPolicy(base=1.0, cap=60.0, pause=5.0, draw=MOST)
PUNCTUAL = RetryPolicy(draw=LEAST)

_names = (f"event-{number}" for number in itertools.count())


def limit(wait: float) -> Outcome:
    """Return a 429 that asks for a wait."""
    return Outcome(verdict=Verdict.LIMIT, reason="429", wait=wait)


def fail(gate: Gate, outcome: Outcome, now: float, started: float, *, times: int = ROW) -> None:
    """Let so many different events fail that were in flight together."""
    for _ in range(times):
        gate.failed(next(_names), outcome, now=now, started=started)


def fail_round(gate: Gate, outcome: Outcome = RETRY) -> float:
    """Let probes fail as soon as the gate opens; return how long it closes."""
    now = max(gate.opens_at, 1.0)
    fail(gate, outcome, now + 0.5, started=now)
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


def test_a_healthy_gate_is_as_wide_as_the_outlet() -> None:
    """Nothing waits before the first failure, and an outlet that learns its limits is followed."""
    gate = Gate(POLICY, width=100)

    assert (gate.room(0.0), gate.healthy, gate.paused_by) == (100, True, None)
    gate.width = 30
    assert gate.room(0.0) == 30


@pytest.mark.parametrize("outcome", [RETRY, PAUSE, Outcome(verdict=Verdict.RETRY, reason="503", wait=900.0)])
def test_one_event_does_not_close_it(outcome: Outcome) -> None:
    """However often it fails, and whatever its answer asks for; nor do two."""
    gate = Gate(POLICY, width=100)
    for _ in range(50):
        gate.failed("one", outcome, now=10.0, started=9.0)
    gate.failed("other", outcome, now=10.0, started=9.0)

    assert (gate.closed, gate.room(10.0), gate.healthy, gate.paused_by) == (False, 100, False, None)


def test_a_success_between_begins_the_row_anew() -> None:
    """Every second event fails: that is no outage. Those that failed are named, as others pass."""
    gate = Gate(POLICY, width=100)
    alone = set()
    for number in range(50):
        gate.failed(f"bad-{number}", RETRY, now=10.0, started=9.0)
        alone |= gate.succeeded(started=9.0)

    assert (gate.closed, gate.room(10.0), gate.healthy) == (False, 100, True)
    assert alone == {f"bad-{number}" for number in range(50)}


def test_different_events_in_a_row_close_it() -> None:
    """Nothing may be sent until the wait is over, then a few."""
    gate = Gate(POLICY, width=100)
    fail(gate, RETRY, now=10.0, started=9.0)

    assert [gate.room(now) for now in (10.0, 10.99, 11.0)] == [0, 0, 12]
    assert not gate.healthy


def test_rounds_of_probes_wait_longer_and_longer() -> None:
    """Each round in vain doubles the wait; a success begins anew."""
    gate = Gate(POLICY, width=100)

    assert [fail_round(gate) for _ in range(8)] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    gate.succeeded(started=gate.opens_at)
    assert fail_round(gate) == 1.0


def test_more_probes_after_rounds_in_vain_but_not_with_a_refused_key() -> None:
    """However many bad events wait in front, the good ones behind them are reached."""
    failing, refused = Gate(POLICY, width=100), Gate(POLICY, width=100)
    rooms: list[tuple[int, int]] = []
    for _ in range(10):
        fail_round(failing)
        fail_round(refused, PAUSE)
        rooms.append((failing.room(failing.opens_at), refused.room(refused.opens_at)))

    assert [few for few, _ in rooms] == [12, 12, 12, 24, 24, 24, 48, 48, 48, 50]
    assert {few for _, few in rooms} == {12}


def fresh_ones(gate: Gate, now: float) -> int:
    """Send as many events that were never tried as may go; return how many that were."""
    count = 0
    while gate.room_for_fresh(now):
        gate.started_fresh(now)
        count += 1
    return count


def test_fresh_events_go_on_while_probes_wait() -> None:
    """So many for each second of the longest wait, none of which begins another round or lengthens the wait."""
    gate = Gate(POLICY, width=16)
    counts: list[int] = []
    for _ in range(8):
        fail_round(gate)
        opens_at = gate.opens_at
        counts.append(fresh_ones(gate, opens_at - 0.4))
        fail(gate, RETRY, opens_at - 0.3, started=opens_at - 0.4)
        assert (gate.opens_at, gate.room(opens_at - 0.2)) == (opens_at, 0)

    assert counts == [8, 16, 32, 64, 128, 128, 128, 128]


@pytest.mark.parametrize(
    "outcome", [PAUSE, limit(20.0), Outcome(verdict=Verdict.RETRY, reason="503", wait=20.0)], ids=lambda one: one.reason
)
def test_no_event_at_all_goes_where_the_intake_wants_to_be_left_alone(outcome: Outcome) -> None:
    """Fresh or not."""
    gate = Gate(POLICY, width=16)
    fail_round(gate)
    fail_round(gate, outcome)

    assert fresh_ones(gate, gate.opens_at - 0.1) == 0


def test_requests_that_were_in_flight_together_fail_once() -> None:
    """A hundred failures of one moment are one, even when the jitter drew no wait at all."""
    gate = Gate(RetryPolicy(base=1.0, draw=lambda least, most: least if most == 1.0 else most), width=100)
    for number in range(100):
        fail(gate, RETRY, now=10.0 + number, started=9.0, times=1)

    assert gate.opens_at == 12.0


def test_the_longest_asked_wait_wins() -> None:
    """A wait that the intake names counts from each answer, and is not cut by our own cap."""
    gate = Gate(PUNCTUAL, width=100)
    fail(gate, limit(300.0), now=10.0, started=9.0)
    fail(gate, limit(2.0), now=11.0, started=9.0)
    fail(gate, RETRY, now=12.0, started=9.0)

    assert gate.opens_at == 310.0


def test_a_single_limit_closes_for_a_while() -> None:
    """It speaks of all requests; but one event may not stop the others for longer than our own cap."""
    gate = Gate(PUNCTUAL, width=100)
    gate.failed("one", limit(20.0), now=10.0, started=9.0)
    assert gate.opens_at == 30.0

    gate = Gate(PUNCTUAL, width=100)
    gate.failed("one", limit(900.0), now=10.0, started=9.0)
    assert gate.opens_at == 70.0


def test_processes_that_heard_of_one_moment_come_back_one_after_the_other() -> None:
    """Up to a quarter of the wait later, drawn once for all answers of a moment: the last of many draws is the end."""
    draws = random.Random(1)
    gates = [Gate(RetryPolicy(draw=draws.uniform), width=100) for _ in range(100)]
    for gate in gates:
        fail(gate, limit(20.0), now=10.0, started=9.0, times=50)

    opens_at = sorted(gate.opens_at for gate in gates)
    assert 30.0 <= opens_at[0] < 31.0
    assert 32.0 < opens_at[50] < 33.0
    assert 34.0 < opens_at[-1] <= 35.0


def test_nothing_goes_after_a_limit_though_no_wait_was_named() -> None:
    """Fresh events would ask for more where less is wanted."""
    gate = Gate(POLICY, width=16)
    gate.failed("one", Outcome(verdict=Verdict.LIMIT, reason="429"), now=10.0, started=9.0)

    assert gate.closed
    assert fresh_ones(gate, gate.opens_at - 0.1) == 0


def test_a_few_of_those_in_flight_with_it_do_not_end_a_limit() -> None:
    """Of those that were sent before it was met some pass; many, and it was one about its event."""
    gate = Gate(POLICY, width=100)
    gate.failed("one", limit(20.0), now=10.0, started=9.0)
    for _ in range(OLDER - 1):
        assert gate.succeeded(started=9.0) == set()
    assert gate.closed

    assert gate.succeeded(started=9.0) == {"one"}
    assert not gate.closed


def test_a_wait_of_nothing_is_no_wish() -> None:
    """ "Come back in 0 seconds" leaves our own backoff in force."""
    gate = Gate(POLICY, width=100)
    fail(gate, limit(0.0), now=10.0, started=9.0)

    assert gate.opens_at == 11.0


def test_each_success_doubles_the_room() -> None:
    """A slow start, so that a recovering intake is not flooded."""
    gate = Gate(POLICY, width=20)
    fail(gate, RETRY, now=10.0, started=9.0)
    rooms = []
    for _ in range(6):
        rooms.append(gate.room(11.0))
        gate.succeeded(started=11.0)

    assert rooms == [2, 4, 8, 16, 20, 20]


def test_an_answer_to_an_older_request_proves_little() -> None:
    """One that was sent before the failures opens the gate only with as many others as events have failed."""
    gate = Gate(POLICY, width=100)
    fail(gate, PAUSE, now=10.0, started=9.0)
    gate.succeeded(started=9.5)
    gate.succeeded(started=9.5)

    assert (gate.paused_by, gate.healthy, gate.room(gate.opens_at)) == ("403", False, 12)
    assert len(gate.succeeded(started=9.5)) == ROW
    assert (gate.paused_by, gate.healthy, gate.closed) == (None, True, False)


def test_an_answer_to_a_probe_opens_it() -> None:
    """Also when others of the same round failed first; what failed with the destination is not to blame."""
    gate = Gate(POLICY, width=100)
    fail(gate, PAUSE, now=10.0, started=9.0)
    fail(gate, PAUSE, now=16.0, started=gate.opens_at)

    assert gate.succeeded(started=15.0) == set()
    assert (gate.paused_by, gate.healthy, gate.closed) == (None, True, False)


def test_a_pause_has_waits_of_its_own() -> None:
    """Without jitter, from `pause` up to the cap: the key will not become valid sooner."""
    gate = Gate(POLICY, width=100)

    assert [fail_round(gate, PAUSE) for _ in range(6)] == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]


def test_a_failure_does_not_end_a_pause() -> None:
    """A 503 after a 403 says nothing about the key."""
    gate = Gate(POLICY, width=100)
    fail_round(gate, PAUSE)
    fail_round(gate, RETRY)

    assert gate.paused_by == "403"


def test_a_pause_may_be_all_that_is_known() -> None:
    """With one event, and nothing else to try, the pause is said; the next event is tried at once all the same."""
    gate = Gate(POLICY, width=100)
    gate.failed("one", PAUSE, now=10.0, started=9.0)
    gate.pause()

    assert (gate.paused_by, gate.closed, gate.room(10.0)) == ("403", False, 100)
    gate.succeeded(started=10.0)
    assert gate.paused_by is None


def test_hurry_opens_now_and_keeps_waits_short() -> None:
    """At the end of the process no wait may outlast it, not even one that the intake asked for."""
    gate = Gate(POLICY, width=100)
    fail(gate, limit(900.0), now=10.0, started=9.0)
    gate.hurry()

    assert gate.room(10.0) == 12
    fail(gate, limit(900.0), now=11.0, started=10.0)
    assert gate.opens_at == 11.0 + HURRIED_WAIT
    assert not gate.rate_limit.is_set
