"""What one process does to keep a spool in order: the janitor's work if it has the duty, else what that asks for."""

from __future__ import annotations

import threading
from collections.abc import Callable

from dd_pa.capture.event import BuiltEvent
from dd_pa.process.shutdown import start_thread
from dd_pa.store.backlog import Backlog
from dd_pa.store.directory import AlienFileError
from dd_pa.store.held_segment import HeldSegment
from dd_pa.store.janitor import Janitor
from dd_pa.store.janitor_duty import Duty, Notice
from dd_pa.store.spool_writer import Say, SpoolWriter
from dd_pa.store.trusted_directory import UnsafePlaceError


class Upkeep:
    """Puts duty, janitor, backlog and writer of one process together. For the thread that each method names."""

    def __init__(
        self,
        duty: Duty,
        janitor: Janitor,
        backlog: Backlog,
        writer: SpoolWriter,
        *,
        can_deliver: Callable[[], bool],
        on_overflow: Callable[[HeldSegment, BuiltEvent | None], None],
        on_full: Callable[[bool], object],
        say: Say,
    ) -> None:
        self._duty, self._janitor, self._backlog, self._writer = duty, janitor, backlog, writer
        self._can_deliver, self._on_overflow, self._on_full, self._say = can_deliver, on_overflow, on_full, say
        self.recalls = 0
        """Times that this process made way for others."""

        self.turn = threading.Lock()
        """Held by the thread that does the janitor's work once."""

    def tend(self, now: float, *, is_due: bool) -> None:
        """Do the janitor's work, if it is this process's, step by step. For the delivery thread."""
        if self._has_duty(now) if is_due else self._duty.ours:
            is_due = self._janitor.tend() or is_due
        else:
            self._janitor.stop()
        if is_due:
            self._heed(self._duty.read())

    def _has_duty(self, now: float) -> bool:
        had = self._duty.ours
        has = self._duty.keep(healthy=self._can_deliver(), now=now)
        if had and self._duty.made_way:
            self._backlog.hand_back()
            self.recalls += 1
        elif has and not had:
            self._janitor.soon()
        return has

    def _heed(self, notice: Notice) -> None:
        """Drop segments of this process that the janitor, of which only their holder can do it, asked for."""
        self._on_full(notice.full)
        for name in notice.drop:
            held = self._backlog.find(name)
            if held is None or held.given_up:
                continue
            if not held.reader.look_for_writer():
                self._writer.retire()  # it is being written, by us
            elif not self._duty.ours:
                for _ in self._backlog.drop(held, self._on_overflow):
                    pass

    def heed_without_delivery(self, name: str) -> None:
        """Heed what the janitor tells processes that have no delivery thread. For the thread of a `put()`."""
        notice = self._duty.read()
        self._on_full(notice.full)
        if name in notice.drop:
            self._writer.retire()

    def take_a_turn(self) -> None:
        """Where no process delivers, have a thread do the janitor's work once. For the thread of a `put()`."""
        if not self.turn.acquire(blocking=False):
            return
        try:
            if self._duty.take():
                start_thread(threading.Thread(target=self._one_turn, name="dd-pa janitor", daemon=True))
                return
        except (OSError, RuntimeError, UnsafePlaceError, AlienFileError) as error:
            self._say("spool scan", "the spool cannot be looked through: %s", error)
            self._duty.resign()
        self.turn.release()

    def _one_turn(self) -> None:
        try:
            for _ in self._janitor.round():
                if self._writer.closed:
                    return
        except (OSError, UnsafePlaceError, AlienFileError) as error:
            self._say("spool scan", "the spool cannot be looked through: %s", error)
        finally:
            self._duty.resign()
            self.turn.release()
