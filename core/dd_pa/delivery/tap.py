"""Copies of events for a stream beside the usual delivery: a second pipeline, with a spool and a thread of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from dd_pa.capture.event import BuiltEvent
from dd_pa.settings.settings import Settings
from dd_pa.store.protocol import Store


def tap_settings(settings: Settings) -> Settings:
    """Return the settings of the pipeline of the copies; another destination has another place in the spool."""
    return dataclasses.replace(settings, relay_url=settings.tap_url, tap_url=None)


class TappedStore:
    """Stores events, and has each that was stored copied. An event that was dropped is none to anybody."""

    def __init__(self, store: Store, copy: Callable[[BuiltEvent], object]) -> None:
        self._store, self._copy = store, copy

    def put(self, event: BuiltEvent) -> bool:
        """Store an event; return False if it was dropped instead."""
        stored = self._store.put(event)
        if stored:
            self._copy(event)
        return stored

    def put_first(self, events: Sequence[BuiltEvent]) -> int:
        """Store as many events as can be stored at once; return how many."""
        stored = self._store.put_first(events)
        for event in events[:stored]:
            self._copy(event)
        return stored

    def keep(self, event: BuiltEvent) -> bool:
        """Leave an event to the next process; return whether that was possible."""
        kept = self._store.keep(event)
        if kept:
            self._copy(event)
        return kept
