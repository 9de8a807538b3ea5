"""Who keeps a directory in order, and what that process tells the others.

Whoever has the lock of `janitor/lock` does, and writes into that file what it found. One that cannot deliver makes way
for one that says, with a shared lock of `janitor/willing`, that it could.
"""

from __future__ import annotations

import contextlib

import msgspec

from dd_pa.store.destination import Destination
from dd_pa.store.directory import Descriptor, Directory
from dd_pa.store.record import DamagedRecordError, checked_body, encode

LOCK, WILLING = "lock", "willing"

REST = 60.0
"""Seconds before one that cannot deliver offers itself again."""

TURN, LONGEST_TURN = 15.0, 240.0
"""Seconds for which it then tries, or tries on. Each turn is twice as long as the last: where none can deliver, what
was left behind may be what fails, and each begins with it anew."""

_MOST = 8192
"""Bytes of a notice, at most."""


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the janitor tells the other processes."""

    bytes: int = 0
    """On disk, at its last look."""

    full: bool = False
    """New events are to be refused."""

    drop: tuple[str, ...] = ()
    """Segments that have to go, by whoever has them, as there is no room."""


_decode = msgspec.json.Decoder(Notice).decode


class Duty:
    """This process's part in it; for one thread at a time, but `read`."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._room: Directory | None = None
        self._lock: Descriptor | None = None
        self._willing: Descriptor | None = None
        self._offers = False
        self._rests_until: float | None = None
        self._turn = TURN
        self._known = Notice()
        self.ours = False
        """This process is the janitor."""

        self.made_way = False
        """It was, until another process offered to be."""

    def keep(self, *, healthy: bool, now: float) -> bool:
        """Take or keep the duty, or make way; return whether it is ours. Raises `OSError`, `AlienFileError`."""
        self._open()
        if healthy:
            self._rests_until = None
        elif self._rests_until is None:
            self._rests_until = now + (self._turn if self.ours else REST)
        rested = self._rests_until is None or now >= self._rests_until
        if self.ours:
            if rested and not healthy and self._another_offers():
                self._rests_until = now + REST
                self._make_way()
        elif rested or not self._is_offered():
            self._take_or_offer(offers=rested, now=now, healthy=healthy)
        return self.ours

    def _is_offered(self) -> bool:
        self._offer(offers=False)
        return self._another_offers()

    def _take_or_offer(self, *, offers: bool, now: float, healthy: bool) -> None:
        if not self.take():
            self._offer(offers=offers)
            return
        self._offer(offers=False)
        if not healthy:
            self._rests_until = now + self._turn

    def _make_way(self) -> None:
        self.resign()
        self.made_way = True
        self._turn = min(2 * self._turn, LONGEST_TURN)

    def take(self) -> bool:
        """Take the duty if it is free."""
        directory, lock = self._open()
        if self.ours or lock.lock():
            self.made_way = False
            self.ours = directory.holds(LOCK, lock)
            if not self.ours:  # somebody removed the file: the next look makes another
                self._lock = None
        return self.ours

    def _open(self) -> tuple[Directory, Descriptor]:
        room = self._destination.room_of_the_janitor()
        if room is not self._room or self._lock is None:
            self.ours = self._offers = False
            self._willing = room.open_to_lock(WILLING, create=True)
            self._lock = room.open_to_lock(LOCK, create=True)
            self._room = room
        return room, self._lock

    def _offer(self, *, offers: bool) -> None:
        if self._willing is None or offers == self._offers:
            return
        if offers:
            self._offers = self._willing.lock_shared()
        else:
            self._willing.unlock()
            self._offers = False

    def _another_offers(self) -> bool:
        if self._willing is None or not self._willing.lock():
            return True
        self._willing.unlock()
        return False

    def resign(self) -> None:
        """Let another process have the duty."""
        self.ours = False
        if self._lock is not None:
            self._lock.unlock()

    def tell(self, notice: Notice) -> None:
        """Tell the others; what cannot be written (disk full) is told at the next look."""
        self._known = notice
        if self._lock is not None and self._room is not None:
            with contextlib.suppress(OSError):
                self._room.files.pwrite(self._lock.fd, encode(msgspec.json.encode(notice)), 0)

    def read(self) -> Notice:
        """Return what the janitor told last; from any thread."""
        lock, room = self._lock, self._room
        if self.ours or lock is None or room is None:
            return self._known
        try:
            _, line, *_ = room.files.pread(lock.fd, _MOST, 0).split(b"\n", 2)
            self._known = _decode(checked_body(line))
        except (OSError, ValueError, DamagedRecordError, msgspec.DecodeError):  # read while it was written
            return self._known
        return self._known

    def close(self) -> None:
        """Let the duty and the files go."""
        self.ours = self._offers = False
        self._lock = self._willing = self._room = None
