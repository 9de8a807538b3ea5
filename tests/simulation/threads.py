"""What `threading` offers, for strands; conditions, events and semaphores of the library are made of these."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

from tests.simulation.scheduler import Scheduler, Strand

_numbers = itertools.count(1)


class Threads:
    """The scheduler that runs now; None outside of a simulation."""

    scheduler: Scheduler | None = None

    @classmethod
    def strand(cls) -> Strand | None:
        return cls.scheduler.current if cls.scheduler is not None else None


class SimulatedLock:
    """A lock of strands."""

    def __init__(self) -> None:
        self._owner: object = None
        self._waiting: deque[Strand] = deque()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        scheduler, strand = Threads.scheduler, Threads.strand()
        if scheduler is None or strand is None:
            assert self._owner is None or not blocking, "a lock that nobody would open"
            taken, self._owner = self._owner is None, self._owner or "outside"
            return taken
        deadline = None if timeout < 0 else scheduler.now + timeout
        while self._is_held():
            left = None if deadline is None else deadline - scheduler.now
            if not blocking or (left is not None and left <= 0):
                return False
            self._waiting.append(strand)
            scheduler.park(left)
            if strand in self._waiting:
                self._waiting.remove(strand)
        self._owner = strand
        return True

    def _is_held(self) -> bool:
        """A lock of the module dies with the simulated process that took it, as it would with a real one."""
        owner = self._owner
        return owner is not None and (not isinstance(owner, Strand) or owner.owner.alive)

    def release(self) -> None:
        if self._owner is None:
            raise RuntimeError("release unlocked lock")
        self._owner = None
        scheduler = Threads.scheduler
        if self._waiting and scheduler is not None:
            scheduler.unpark(self._waiting.popleft())

    def locked(self) -> bool:
        return self._owner is not None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


class SimulatedRLock(SimulatedLock):
    """A lock that its owner may take again."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if self._owner is not None and self._owner is (Threads.strand() or "outside"):
            self._depth += 1
            return True
        taken = super().acquire(blocking, timeout)
        self._depth = 1 if taken else self._depth
        return taken

    def release(self) -> None:
        self._depth -= 1
        if self._depth == 0:
            super().release()

    def _is_owned(self) -> bool:
        return self._owner is (Threads.strand() or "outside")

    def _release_save(self) -> int:
        depth, self._depth = self._depth, 1
        self.release()
        return depth

    def _acquire_restore(self, depth: int) -> None:
        self.acquire()
        self._depth = depth


class SimulatedThread:
    """A thread that is a strand of the process of whoever starts it."""

    def __init__(
        self,
        group: None = None,
        target: Callable[..., object] | None = None,
        name: str | None = None,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        daemon: bool | None = None,
    ) -> None:
        self._target, self._args, self._kwargs = target, tuple(args), dict(kwargs or {})
        self.ident: int | None = None
        self.name = name or "thread"
        self.daemon = bool(daemon)
        self._ended = False
        self._joining: list[Strand] = []

    def start(self) -> None:
        scheduler, strand = Threads.scheduler, Threads.strand()
        assert scheduler is not None, "no thread outside of the simulation"
        assert strand is not None, "no thread outside of a strand"
        self.ident = next(_numbers)
        _by_strand[scheduler.spawn(self._run, strand.owner, self.name)] = self

    def _run(self) -> None:
        try:
            self.run()
        finally:
            self._ended = True
            for strand in self._joining:
                if Threads.scheduler is not None:
                    Threads.scheduler.unpark(strand)

    def run(self) -> None:
        if self._target is not None:
            self._target(*self._args, **self._kwargs)

    def is_alive(self) -> bool:
        return self.ident is not None and not self._ended

    def join(self, timeout: float | None = None) -> None:
        scheduler, strand = Threads.scheduler, Threads.strand()
        assert scheduler is not None, "no thread outside of the simulation"
        assert strand is not None, "no thread outside of a strand"
        deadline = None if timeout is None else scheduler.now + timeout
        while self.is_alive() and (deadline is None or scheduler.now < deadline):
            self._joining.append(strand)
            scheduler.park(None if deadline is None else deadline - scheduler.now)
            self._joining.remove(strand)


_by_strand: dict[Strand, SimulatedThread] = {}


def simulated_thread() -> SimulatedThread | None:
    """Return the thread of the strand that runs."""
    strand = Threads.strand()
    if strand is None:
        return None
    if strand not in _by_strand:
        thread = _by_strand[strand] = SimulatedThread(name=strand.name)
        thread.ident = next(_numbers)
    return _by_strand[strand]
