"""The numbers of `stats()` as OpenTelemetry metrics, for applications that use it. Costs nothing where it is absent."""

from __future__ import annotations

import importlib
import sys
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from dd_pa.delivery.stats import Stats
from dd_pa.settings import Settings

Values = Iterable[tuple[float, Mapping[str, str]]]


class Counted(Protocol):
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
    "dd_pa.events.dropped": (
        "events given up, by reason",
        lambda stats: [(count, {"reason": reason}) for reason, count in stats.dropped.items()],
    ),
    "dd_pa.delivery.retries": ("attempts that failed and are followed by another", lambda stats: [(stats.retried, {})]),
}
GAUGES: dict[str, tuple[str, str, Callable[[Stats], Values]]] = {
    "dd_pa.events.pending": ("{event}", "events that wait or are on their way", lambda stats: [(stats.pending, {})]),
    "dd_pa.events.oldest_pending_age": (
        "s",
        "time since the oldest pending event occurred, 0 if there is none",
        lambda stats: [(stats.oldest_pending_age or 0.0, {})],
    ),
    "dd_pa.spool.size": ("By", "bytes on disk", lambda stats: [(stats.spool_bytes, {})]),
    "dd_pa.delivery.paused": (
        "1",
        "1 while the intake refuses the key",
        lambda stats: [(int(stats.state == "paused"), {})],
    ),
}

_observed: weakref.WeakSet[Counted] = weakref.WeakSet()
"""Emitters that are counted by the instruments of the global meter provider."""

_has_instruments = False


def observe_where_used(emitter: Counted) -> None:
    """Offer the emitter's numbers to OpenTelemetry if the application has imported its metrics API."""
    if "opentelemetry.metrics" in sys.modules:
        observe(emitter)


def observe(emitter: Counted, meter_provider: Any = None) -> None:
    """Offer the emitter's numbers to OpenTelemetry: to the global meter provider, or another one.

    Emitters do this by themselves with the global one if `opentelemetry.metrics` was imported before their first event.
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


def _make_instruments(provider: Any, emitters: weakref.WeakSet[Counted]) -> None:
    meter = provider.get_meter("dd_pa")
    observation = importlib.import_module("opentelemetry.metrics").Observation

    def observer(values: Callable[[Stats], Values]) -> Callable[[object], Iterator[Any]]:
        return lambda _: (observation(value, attributes) for value, attributes in _sums(emitters, values))

    for name, (description, values) in COUNTERS.items():
        meter.create_observable_counter(name, [observer(values)], unit="{event}", description=description)
    for name, (unit, description, values) in GAUGES.items():
        meter.create_observable_gauge(name, [observer(values)], unit=unit, description=description)


def _sums(emitters: Iterable[Counted], values: Callable[[Stats], Values]) -> Iterator[tuple[float, dict[str, str]]]:
    """Add up the emitters of one application: observations with equal attributes would replace each other."""
    sums: defaultdict[tuple[tuple[str, str], ...], float] = defaultdict(int)
    for emitter in list(emitters):
        for value, attributes in values(emitter.stats()):
            sums[tuple({"application.id": emitter.settings.application_id, **attributes}.items())] += value
    for key, value in sums.items():
        yield value, dict(key)
