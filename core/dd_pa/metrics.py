"""The numbers of `stats()` as OpenTelemetry metrics, for applications that use it. Costs nothing where it is absent."""

from __future__ import annotations

import importlib
import sys
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from dd_pa.delivery.stats import Stats
from dd_pa.settings.settings import Settings

__all__ = ["observe"]

Values = Iterable[tuple[float, Mapping[str, str]]]

Observed = tuple[float, dict[str, str]]
"""A number and its attributes."""

Combine = Callable[[Iterable[float]], float]
"""What the numbers of several emitters of one application come to."""


class CountedEmitter(Protocol):
    """An emitter."""

    settings: Settings

    def stats(self) -> Stats:
        """Return its numbers."""
        ...


COUNTERS: dict[str, tuple[str, Callable[[Stats], Values]]] = {
    "dd_pa.events.queued": ("events that were accepted", lambda stats: [(stats.queued, {})]),
    "dd_pa.events.delivered": ("events that the intake took", lambda stats: [(stats.delivered, {})]),
    "dd_pa.events.rejected": ("events that the intake refused for good", lambda stats: [(stats.rejected, {})]),
    "dd_pa.events.repaired": ("events sent without what was wrong in them", lambda stats: [(stats.repaired, {})]),
    "dd_pa.events.off_plan": (
        "typed events sent although they are not as their classes say",
        lambda stats: [(stats.off_plan, {})],
    ),
    "dd_pa.events.dropped": (
        "events given up, by reason",
        lambda stats: [(count, {"reason": reason}) for reason, count in stats.dropped.items()],
    ),
    "dd_pa.delivery.retries": ("attempts that failed and are followed by another", lambda stats: [(stats.retried, {})]),
    "dd_pa.tap.published": (
        "copies that the broker of TAP_URL confirmed",
        lambda stats: [(tap.delivered, {}) for tap in _taps(stats)],
    ),
    "dd_pa.tap.dropped": (
        "copies given up, by reason",
        lambda stats: [(count, {"reason": reason}) for tap in _taps(stats) for reason, count in tap.dropped.items()],
    ),
}
GAUGES: dict[str, tuple[str, str, Callable[[Stats], Values], Combine]] = {
    "dd_pa.events.pending": (
        "{event}",
        "events that wait or are on their way",
        lambda stats: [(stats.pending, {})],
        sum,
    ),
    "dd_pa.events.oldest_pending_age": (
        "s",
        "time since the oldest pending event occurred, 0 if there is none",
        lambda stats: [(stats.oldest_pending_age or 0.0, {})],
        max,
    ),
    "dd_pa.spool.size": ("By", "bytes on disk", lambda stats: [(stats.spool_bytes, {})], sum),
    "dd_pa.delivery.paused": (
        "1",
        "1 while the intake refuses the key",
        lambda stats: [(int(stats.state == "paused"), {})],
        max,
    ),
    "dd_pa.tap.pending": (
        "{event}",
        "copies that wait for the broker of TAP_URL",
        lambda stats: [(tap.pending, {}) for tap in _taps(stats)],
        sum,
    ),
    "dd_pa.tap.failing": (
        "1",
        "1 while the broker of TAP_URL takes no copies",
        lambda stats: [(int(tap.state in ("backing_off", "paused")), {}) for tap in _taps(stats)],
        max,
    ),
}


def _taps(stats: Stats) -> list[Stats]:
    """Return the numbers of the copies, if there are any."""
    return [] if stats.tap is None else [stats.tap]


_observed: weakref.WeakSet[CountedEmitter] = weakref.WeakSet()
"""Emitters that are counted by the instruments of the global meter provider."""

_has_instruments = False


def observe_where_used(emitter: CountedEmitter) -> None:
    """Offer the emitter's numbers to OpenTelemetry if the application has imported its metrics API."""
    if "opentelemetry.metrics" in sys.modules:
        observe(emitter)


def observe(emitter: CountedEmitter, meter_provider: Any = None) -> None:
    """Offer the emitter's numbers to OpenTelemetry: to the global meter provider, or another one.

    Emitters do this by themselves with the global one if `opentelemetry.metrics` was imported before they were made.
    Calling it again changes nothing. The emitter is not kept alive. Raises ImportError without `opentelemetry-api`.
    """
    global _has_instruments  # noqa: PLW0603 - one set of instruments in the one global provider
    if meter_provider is not None:
        _make_instruments(meter_provider, weakref.WeakSet([emitter]))
        return
    _observed.add(emitter)
    if not _has_instruments:
        _has_instruments = True
        _make_instruments(importlib.import_module("opentelemetry.metrics"), _observed)


class Snapshot:
    """The numbers of emitters for one export: each is asked once, and not again for each instrument."""

    def __init__(self, emitters: Iterable[CountedEmitter]) -> None:
        self._emitters = emitters
        self._taken: list[tuple[str, Stats]] = []
        self._served: set[str] = set()

    def read(self, instrument: str, values: Callable[[Stats], Values], together: Combine) -> Iterator[Observed]:
        """Yield what an instrument observes. One that asks a second time begins the next export.

        Observations with equal attributes would replace each other, so emitters of one application are put together.
        """
        if instrument in self._served or not self._served:
            self._served = set()
            self._taken = [(emitter.settings.application_id, emitter.stats()) for emitter in list(self._emitters)]
        self._served.add(instrument)
        found: defaultdict[tuple[tuple[str, str], ...], list[float]] = defaultdict(list)
        for application, stats in self._taken:
            for value, attributes in values(stats):
                found[tuple({"application.id": application, **attributes}.items())].append(value)
        for key, numbers in found.items():
            yield together(numbers), dict(key)


def _make_instruments(provider: Any, emitters: weakref.WeakSet[CountedEmitter]) -> None:
    meter = provider.get_meter("dd_pa")
    observation = importlib.import_module("opentelemetry.metrics").Observation
    snapshot = Snapshot(emitters)

    def observer(name: str, values: Callable[[Stats], Values], together: Combine) -> Callable[[object], Iterator[Any]]:
        return lambda _: (observation(value, found) for value, found in snapshot.read(name, values, together))

    for name, (description, values) in COUNTERS.items():
        callback = observer(name, values, sum)
        meter.create_observable_counter(name, [callback], unit="{event}", description=description)
    for name, (unit, description, values, together) in GAUGES.items():
        callback = observer(name, values, together)
        meter.create_observable_gauge(name, [callback], unit=unit, description=description)
