"""What the commands of all frameworks share: signals, and a line at the start and at the end."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from dd_pa.outbox.deliverer import OutboxDeliverer


def deliver_in_foreground(
    *deliverers: OutboxDeliverer,
    once: bool,
    say: Callable[[str], object],
    at_end: Callable[[], object] = lambda: None,
    patient: bool = False,
) -> bool:
    """Run deliverers until SIGTERM or Ctrl-C; with `once`, until no row waits. One alone runs on the main thread.

    Several run on threads of their own, each of which calls `at_end`: one whose database cannot be used says so, and
    does not keep the others. `patient`: one alone waits for what it delivers from, if that is away at the start.
    Returns False if something was left for others, or could not be looked at. The signals' handlers are put back at
    the end.
    """
    with _stopped_by_signals(deliverers):
        if len(deliverers) == 1:
            return _deliver(deliverers[0], once=once, say=say, patient=patient)
        done: list[bool] = []

        def run(deliverer: OutboxDeliverer) -> None:
            done.append(_run_beside(deliverer, once, say, at_end))

        threads = [threading.Thread(target=run, args=(deliverer,)) for deliverer in deliverers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return len(done) == len(deliverers) and all(done)


def _run_beside(
    deliverer: OutboxDeliverer, once: bool, say: Callable[[str], object], at_end: Callable[[], object]
) -> bool:
    try:
        return _deliver(deliverer, once=once, say=say, patient=not once)
    except Exception as error:
        say(f"{deliverer.name} cannot be used: {error}")
        return False
    finally:
        at_end()


def _deliver(deliverer: OutboxDeliverer, *, once: bool, say: Callable[[str], object], patient: bool = False) -> bool:
    started = time.monotonic()
    say(f"dd-pa delivers from {deliverer.name} to {deliverer.settings.intake_url} as {deliverer.owner}")
    try:
        return deliverer.run(once=once, patient=patient)
    finally:
        say(f"{_summary(deliverer, time.monotonic() - started)} from {deliverer.name}")


def _summary(deliverer: OutboxDeliverer, seconds: float) -> str:
    stats = deliverer.stats()
    parts = [f"{stats.delivered} events delivered", f"{stats.rejected} rejected"]
    parts += [f"{count} {reason}" for reason, count in stats.dropped.items()]
    end = "" if stats.last_error is None else f"; last error: {stats.last_error}"
    return f"{', '.join(parts)} in {seconds:.1f} s{end}"


@contextmanager
def _stopped_by_signals(deliverers: Sequence[OutboxDeliverer]) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        for deliverer in deliverers:
            deliverer.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
