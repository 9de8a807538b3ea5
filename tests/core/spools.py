"""Spools in a temporary directory, and what is in them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dd_pa import Settings
from dd_pa.capture.event import BuiltEvent, EventBuilder
from dd_pa.capture.person import Identity
from dd_pa.store.destination import Destination
from dd_pa.store.directory import Files
from dd_pa.store.memory import MemoryStore
from dd_pa.store.spool import Spool
from dd_pa.store.spool_options import SpoolOptions

INTAKE = "https://intake.example.com"
_builder = EventBuilder(Settings(application_id="shop", api_key="k", intake_url=INTAKE))


def event(number: int = 0, **attributes: Any) -> BuiltEvent:
    """Return an event as `track()` builds it."""
    made, _ = _builder.build("order.placed", {"number": number, **attributes}, Identity(usr="u"))
    return made


def events(count: int) -> list[BuiltEvent]:
    """Return some events."""
    return [event(number) for number in range(count)]


class Watched:
    """A spool of its own, as one process has it; keeps what it dropped and said. `now` is its clock."""

    def __init__(self, path: Path | str, *, files: Files = os, application_id: str = "shop", **options: Any) -> None:
        self.dropped: list[tuple[str, BuiltEvent | None]] = []
        self.said: list[str] = []
        self.now = 0.0
        self.healthy = True
        self.destination = Destination(str(path), application_id, INTAKE, files)
        self.memory = MemoryStore(
            size=1000, drop_newest=False, on_overflow=lambda event: self.dropped.append(("overflow", event))
        )
        self.spool = Spool(
            self.destination,
            self.memory,
            SpoolOptions(**({"max_bytes": 1 << 28} | options)),
            on_dropped=lambda reason, event: self.dropped.append((reason, event)),
            say=lambda about, message, *values: self.said.append(message % values),
            can_deliver=lambda: self.healthy,
            clock=lambda: self.now,
        )

    def put(self, *some: BuiltEvent) -> list[BuiltEvent]:
        """Put events, each of which must be kept; wait for the thread that keeps order meanwhile."""
        assert all(self.spool.put(event) for event in some)
        with self.spool._upkeep.turn:
            return list(some)

    def tend(self) -> None:
        """Do what is due a second later."""
        self.now += 2
        self.spool.tend()

    def deliver(self, *, rounds: int = 4) -> list[str]:
        """Deliver all there is, as a delivery thread would; return the ids, sorted."""
        delivered: list[str] = []
        for _ in range(rounds):
            self.tend()
            while taken := self.spool.take(10):
                delivered += ids(taken)
                for one in taken:
                    self.spool.settle(one)
        self.tend()
        return sorted(delivered)

    def kill(self) -> None:
        """Do no more than the kernel does for a killed process: close what is open."""
        self.spool._writer.close()
        self.spool._dead.close()
        self.spool._janitor.stop()
        self.spool._backlog.close(remove_delivered=False)
        self.spool._duty.close()

    @property
    def files(self) -> list[str]:
        """The endings of the destination's files, sorted."""
        return sorted(path.suffix for path in self.folder.iterdir() if path.is_file())

    @property
    def folder(self) -> Path:
        """The destination's directory."""
        directory = self.destination.directory()
        return Path(os.readlink(f"/proc/self/fd/{directory.place.fd}"))

    def segments(self) -> list[Path]:
        """The paths of its segments, oldest first."""
        return sorted(self.folder.glob("*.seg"))


def ids(some: Iterable[BuiltEvent]) -> list[str]:
    """Return the events' ids, sorted."""
    return sorted(event.id for event in some)
