from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager
from types import TracebackType

from dd_pa.capture.event import BuiltEvent
from dd_pa.emitter import Emitter
from dd_pa.observe import signals
from dd_pa.process import testbed
from dd_pa.testing.captured_events import CapturedEvents
from dd_pa.testing.tracked_event import TrackedEvent


def capture_events(*emitters: Emitter) -> AbstractContextManager[CapturedEvents]:
    """Keep the events of a block for a test to look at, of these emitters, or of all in this process, on any thread.

    They go no further: no thread is started and nothing is stored or sent. An event that waits for a commit is there
    when the transaction has committed; inside a transaction that the test never commits (Django's `TestCase`), when the
    blocks around it that are not the test's have. Blocks may be nested: an event belongs to all of them.
    """
    return _Recorder(emitters)


class _Recorder:
    """One capture; see `testbed.Capture`. Emitters call it on any thread.

    Without emitters it can be pickled: Django's parallel runner does that with the test whose subtest has failed.
    """

    def __init__(self, emitters: tuple[Emitter, ...]) -> None:
        self._emitters = emitters
        self._number_of: dict[str, int] = {}
        self._taken: list[BuiltEvent] = []
        self._missing: Counter[tuple[str, str]] = Counter()
        self._earlier: set[str] = set()
        self._final: list[TrackedEvent] | None = None

    def __enter__(self) -> CapturedEvents:
        self._earlier = {event.id for event in self._waiting()}
        signals.event_dropped.connect(self.dropped)
        testbed.begin(self)
        return CapturedEvents(self.events, self.remarks)

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._final = self.events()  # what waits is gone when the test's transaction is
        testbed.end(self)
        signals.event_dropped.disconnect(self.dropped)

    def wants(self, emitter: object) -> bool:
        return not self._emitters or emitter in self._emitters

    def built(self, event: BuiltEvent) -> None:
        self._number_of[event.id] = len(self._number_of)

    def take(self, emitter: object, event: BuiltEvent) -> None:
        self._taken.append(event)

    def disabled(self, name: str) -> None:
        self._missing[str(name)[:200], "ENABLED is False"] += 1

    def dropped(self, sender: object, *, name: object, reason: str, **_: object) -> None:
        if self.wants(sender):
            self._missing[str(name)[:200], reason] += 1

    def events(self) -> list[TrackedEvent]:
        """Return what was submitted, and what only waits for a commit that will not come, as it was tracked."""
        if self._final is not None:
            return self._final
        waiting = [event for event in self._waiting() if event.id not in self._earlier]
        found = {event.id: event for event in [*self._taken, *waiting]}
        in_order = sorted(found.values(), key=lambda event: self._number_of.get(event.id, -1))
        return [TrackedEvent.of(event) for event in in_order]

    def remarks(self) -> list[str]:
        """Return a line for each kind of event that was not kept."""
        return [
            f"not kept: {name} ({reason}{f', {count} times' if count > 1 else ''})"
            for (name, reason), count in self._missing.items()
        ]

    def _waiting(self) -> list[BuiltEvent]:
        return [event for find in testbed.waiting for emitter, event in find() if self.wants(emitter)]
