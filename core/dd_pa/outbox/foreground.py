"""What the commands of all frameworks share: signals, and a line at the start and at the end."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from dd_pa.outbox.deliverer import OutboxDeliverer


def deliver_in_foreground(deliverer: OutboxDeliverer, *, once: bool, say: Callable[[str], object]) -> bool:
    """Run a deliverer on the main thread until SIGTERM or Ctrl-C; with `once`, until no row waits.

    Returns False if something was left for others. The signals' handlers are put back at the end.
    """
    started = time.monotonic()
    say(f"dd-pa delivers from the outbox to {deliverer.settings.intake_url} as {deliverer.owner}")
    try:
        with _stopped_by_signals(deliverer):
            done = deliverer.run(once=once)
    finally:
        say(_summary(deliverer, time.monotonic() - started))
    return done


def _summary(deliverer: OutboxDeliverer, seconds: float) -> str:
    stats = deliverer.stats()
    parts = [f"{stats.delivered} events delivered", f"{stats.rejected} rejected"]
    parts += [f"{count} {reason}" for reason, count in stats.dropped.items()]
    end = "" if stats.last_error is None else f"; last error: {stats.last_error}"
    return f"{', '.join(parts)} in {seconds:.1f} s{end}"


@contextmanager
def _stopped_by_signals(deliverer: OutboxDeliverer) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        deliverer.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
