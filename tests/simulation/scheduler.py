"""Threads that are greenlets: one runs at a time, which one is drawn, and time passes only when all of them wait."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections.abc import Callable
from typing import Any, Protocol

import greenlet  # type: ignore[import-untyped]


class Owner(Protocol):
    """The simulated process that a strand belongs to."""

    alive: bool
    stalled_until: float


class Strand:
    """A simulated thread."""

    __slots__ = ("greenlet", "name", "owner", "ready", "ticket", "woken", "work")

    def __init__(self, run: Callable[[], object], owner: Owner, name: str, hub: Any) -> None:
        self.greenlet = greenlet.greenlet(run, parent=hub)
        self.owner = owner
        self.name = name
        self.ticket = 0
        """Differs from wait to wait, so that an alarm of an earlier one wakes nobody."""
        self.ready = False
        self.woken = False
        self.work = 0
        """File operations in this turn of its loop."""


class Scheduler:
    """Runs strands in an order drawn from `draws`, on a clock of its own."""

    def __init__(self, draws: random.Random) -> None:
        self.now = 1000.0
        self.failure: BaseException | None = None
        self._draws = draws
        self._hub = greenlet.getcurrent()
        self._ready: list[Strand] = []
        self._alarms: list[tuple[float, int, Strand | Callable[[], None], int]] = []
        self._order = itertools.count()
        self.current: Strand | None = None
        self.on_turn: Callable[[Owner], None] = lambda owner: None
        """Told whose thread goes on."""

    def spawn(self, run: Callable[[], object], owner: Owner, name: str) -> Strand:
        """Begin a strand; it runs when its turn comes."""
        strand = Strand(lambda: self._guarded(run), owner, name, self._hub)
        self._make_ready(strand)
        return strand

    def _guarded(self, run: Callable[[], object]) -> None:
        try:
            run()
        except BaseException as error:  # a bug of the simulation itself, or of a thread's outermost function
            self.failure = self.failure or error

    def at(self, moment: float, call: Callable[[], None]) -> None:
        """Call something, outside of all strands, at a moment."""
        heapq.heappush(self._alarms, (max(moment, self.now), next(self._order), call, 0))

    def park(self, timeout: float | None) -> bool:
        """Wait until `unpark()`, at most `timeout` seconds; return whether it was that."""
        strand = self._own()
        strand.ticket += 1
        strand.woken = False
        strand.work = 0
        if timeout is not None:
            heapq.heappush(self._alarms, (self.now + max(timeout, 1e-6), next(self._order), strand, strand.ticket))
        self._leave()
        return strand.woken

    def unpark(self, strand: Strand) -> None:
        """End a strand's wait."""
        strand.woken = True
        strand.ticket += 1
        self._make_ready(strand)

    def pause(self) -> None:
        """Let others run first, perhaps."""
        if self._ready:
            self._make_ready(self._own())
            self._leave()

    def leave_for_ever(self) -> None:
        """Never come back: the strand's process was killed."""
        while True:
            self._leave()

    def _own(self) -> Strand:
        assert self.current is not None, "only a strand can wait"
        return self.current

    def _leave(self) -> None:
        loop = asyncio._get_running_loop()
        self._hub.switch()
        asyncio._set_running_loop(loop)

    def _make_ready(self, strand: Strand) -> None:
        if not strand.ready:
            strand.ready = True
            self._ready.append(strand)

    def run(self, until: float) -> None:
        """Let everything happen up to a moment."""
        while self.failure is None:
            if self._ready:
                self._step()
            elif self._alarms and self._alarms[0][0] <= until:
                self._ring()
            else:
                break
        self.now = max(self.now, until)

    def _step(self) -> None:
        chosen = self._draws.randrange(len(self._ready)) if len(self._ready) > 1 else 0
        self._ready[chosen], self._ready[-1] = self._ready[-1], self._ready[chosen]
        strand = self._ready.pop()
        strand.ready = False
        owner = strand.owner
        if not owner.alive:
            return
        if owner.stalled_until > self.now:
            self.at(owner.stalled_until, lambda: self._make_ready(strand))
            return
        self.current = strand
        self.on_turn(owner)
        asyncio._set_running_loop(None)
        strand.greenlet.switch()
        asyncio._set_running_loop(None)
        self.current = None

    def _ring(self) -> None:
        due, _, waiting, ticket = heapq.heappop(self._alarms)
        if isinstance(waiting, Strand):
            if waiting.ticket == ticket and waiting.owner.alive:
                self.now = max(self.now, due)
                waiting.ticket += 1
                self._make_ready(waiting)
            return
        self.now = max(self.now, due)
        waiting()
