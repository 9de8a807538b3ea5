"""Puts the simulation between Python and the machine: clocks, chance, threads, files and waiting.

It must happen before `dd_pa` is imported, as that binds some of these when it is. Whatever runs outside of a simulated
process still gets the real ones.
"""

from __future__ import annotations

import _thread
import concurrent.futures.thread
import errno
import fcntl
import functools
import os
import random
import secrets
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import anyio
import httpx

from tests.simulation.calls import FIRST, Calls
from tests.simulation.process import Process
from tests.simulation.scheduler import Scheduler, Strand
from tests.simulation.threads import (
    SimulatedLock,
    SimulatedRLock,
    SimulatedThread,
    Threads,
    simulated_thread,
)

BOUND_ALREADY = (anyio, concurrent.futures.thread, httpx)
"""What must be imported before, as it uses more of threads than the simulated ones have."""


class Machine:
    """What the simulated processes run on."""

    calls: Calls
    """Its kernel."""

    def __init__(self, seed: str, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.chance = random.Random(f"{seed} chance")
        self.wall = 1_800_000_000.0
        """What the wall clock shows less what the monotonic one does."""

        self.booted_at = 0.0
        self.true = self.wall
        """What it should show."""

    def process(self) -> Process:
        """Return the process whose thread runs."""
        assert self.scheduler.current is not None
        assert isinstance(self.scheduler.current.owner, Process)
        return self.scheduler.current.owner

    def wall_time(self) -> float:
        return self.wall + self.scheduler.now

    def true_time(self) -> float:
        return self.true + self.scheduler.now

    def boot(self, name: str) -> None:
        """Start the machine, which was off for a moment."""
        self.booted_at = self.scheduler.now
        sys.modules["dd_pa.process.uptime"].BOOT = name  # type: ignore[attr-defined]


class Running:
    """The machine that is simulated now."""

    machine: Machine | None = None

    @classmethod
    def begin(cls, machine: Machine) -> None:
        cls.machine = machine
        Threads.scheduler = machine.scheduler
        random.seed(machine.chance.getrandbits(64))

    @classmethod
    def inside(cls) -> Machine | None:
        """Return the machine if a simulated process asks."""
        machine = cls.machine
        return machine if machine is not None and machine.scheduler.current is not None else None


class SeededRandom(random.Random):
    """`random.Random()` without a seed takes one that replays."""

    def seed(self, a: Any = None, version: int = 2) -> None:
        machine = Running.machine
        super().seed(machine.chance.getrandbits(64) if a is None and machine is not None else a, version)


class SimulatedSocket:
    """One end of the pair with which a loop is woken."""

    def __init__(self) -> None:
        self.number = next(_sockets)
        self.waiting = 0
        self.peer: SimulatedSocket = self
        self.selectors: list[SimulatedSelector] = []
        _ends[self.number] = self

    def send(self, data: bytes) -> int:
        self.peer.waiting += len(data)
        for selector in self.peer.selectors:
            selector.wake()
        return len(data)

    def recv(self, count: int) -> bytes:
        if not self.waiting:
            raise BlockingIOError(errno.EAGAIN, "nothing")
        data, self.waiting = b"\0" * min(count, self.waiting), max(0, self.waiting - count)
        return data

    def fileno(self) -> int:
        return self.number

    def setblocking(self, flag: bool) -> None:
        """It never blocks."""

    def close(self) -> None:
        _ends.pop(self.number, None)


_ends: dict[int, SimulatedSocket] = {}
"""Both ends of each pair, by what stands for their descriptor."""

_sockets = iter(range(FIRST * 1000, FIRST * 2000))
_real_pair = socket.socketpair


def _socketpair(*args: Any) -> Any:
    if Running.inside() is None:
        return _real_pair(*args)
    one, other = SimulatedSocket(), SimulatedSocket()
    one.peer, other.peer = other, one
    return one, other


class SimulatedSelector(selectors.BaseSelector):
    """Waits on the simulated clock, for nothing but to be woken."""

    def __init__(self) -> None:
        self._keys: dict[int, selectors.SelectorKey] = {}
        self._parked: Strand | None = None

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        end = _ends[fileobj]
        end.selectors.append(self)
        key = self._keys[fileobj] = selectors.SelectorKey(end, fileobj, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._ready()
        machine = Running.inside()
        assert machine is not None, "a loop of the simulation runs in a simulated process"
        assert machine.scheduler.current is not None
        machine.scheduler.current.work = 0
        if not ready and (timeout is None or timeout > 0):
            self._parked = machine.scheduler.current
            machine.scheduler.park(timeout)
            self._parked = None
            ready = self._ready()
            machine.process().wakes += 1
        return ready

    def _ready(self) -> list[tuple[selectors.SelectorKey, int]]:
        return [(key, selectors.EVENT_READ) for key in self._keys.values() if key.fileobj.waiting]  # type: ignore[union-attr]

    def wake(self) -> None:
        machine = Running.machine
        if self._parked is not None and machine is not None:
            machine.scheduler.unpark(self._parked)
            self._parked = None

    def close(self) -> None:
        self._keys.clear()


def _either(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    """Return a call that is the simulated one for simulated processes and their files."""

    @functools.wraps(real)
    def call(*args: Any, **options: Any) -> Any:
        machine = Running.inside()
        if machine is None:
            if name == "close" and args[0] >= FIRST:  # collected outside of all processes
                return None if Running.machine is None else getattr(Running.machine.calls, name)(*args)
            return real(*args, **options)
        place = options.get("dir_fd", options.get("src_dir_fd"))
        if machine.calls.is_ours(args[0] if args else 0, place):
            return getattr(machine.calls, name)(*args, **options)
        return real(*args, **options)

    return call


_PATHS = ("open", "stat", "listdir", "scandir", "rename", "replace", "link", "unlink", "remove", "mkdir", "rmdir")
_PATHS_TOO = ("chmod", "utime")
_DESCRIPTORS = ("close", "read", "pread", "write", "pwrite", "writev", "fstat", "fchmod", "fsync", "fdatasync")
_DESCRIPTORS_TOO = ("ftruncate", "lseek", "fstatvfs")
_KNOWN = _PATHS + _PATHS_TOO + _DESCRIPTORS + _DESCRIPTORS_TOO
_UNKNOWN = ("dup", "dup2", "sendfile", "preadv", "pwritev", "readv", "fchown", "copy_file_range", "posix_fallocate")


def install() -> None:
    """Put everything in place, for good."""
    replace(os, {name: _either(name, getattr(os, name)) for name in _KNOWN})
    replace(os, {name: _refusing(name, getattr(os, name)) for name in _UNKNOWN})
    replace(os, {"lstat": functools.partial(os.stat, follow_symlinks=False)})
    replace(fcntl, {"flock": _either("flock", fcntl.flock)})
    _install_clocks()
    _install_chance()
    _install_threads()


def replace(module: ModuleType, names: Mapping[str, object]) -> None:
    for name, new in names.items():
        setattr(module, name, new)


def _refusing(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        if any(isinstance(one, int) and one >= FIRST for one in args):
            raise SystemExit(f"the simulation does not know os.{name} yet: add it to calls.py")
        return real(*args, **options)

    return call


def _install_clocks() -> None:
    real = {name: getattr(time, name) for name in ("monotonic", "monotonic_ns", "time", "time_ns", "sleep")}

    def monotonic() -> float:
        machine = Running.machine
        if machine is None:
            return float(real["monotonic"]())
        machine.scheduler.now += 1e-7  # so that a loop that waits for a moment comes to it
        return machine.scheduler.now

    def wall() -> float:
        return float(real["time"]()) if Running.machine is None else Running.machine.wall_time()

    def sleep(seconds: float) -> None:
        machine = Running.inside()
        if machine is None:
            real["sleep"](seconds)
        else:
            machine.scheduler.park(seconds)

    def monotonic_ns() -> int:
        return int(real["monotonic_ns"]()) if Running.machine is None else int(monotonic() * 1e9)

    def wall_ns() -> int:
        return int(real["time_ns"]()) if Running.machine is None else int(wall() * 1e9)

    replace(time, {"monotonic": monotonic, "monotonic_ns": monotonic_ns, "time": wall, "time_ns": wall_ns})
    replace(time, {"sleep": sleep, "clock_gettime": _uptime_or(time.clock_gettime)})


def _uptime_or(real: Callable[[int], float]) -> Callable[[int], float]:
    def clock_gettime(clock: int) -> float:
        machine = Running.machine
        return real(clock) if machine is None else machine.scheduler.now - machine.booted_at

    return clock_gettime


def _install_chance() -> None:
    real_urandom, real_getpid = os.urandom, os.getpid

    def urandom(count: int, /) -> bytes:
        machine = Running.machine
        return real_urandom(count) if machine is None else machine.chance.randbytes(count)

    def getpid() -> int:
        machine = Running.inside()
        return real_getpid() if machine is None else machine.process().pid

    def token_hex(nbytes: int | None = None) -> str:
        return urandom(nbytes or 32).hex()

    replace(os, {"urandom": urandom, "getpid": getpid})
    replace(random, {"Random": SeededRandom})
    replace(secrets, {"token_hex": token_hex, "token_bytes": lambda nbytes=None: urandom(nbytes or 32)})


def _install_threads() -> None:
    real_current, real_ident = threading.current_thread, threading.get_ident

    def current() -> Any:
        return simulated_thread() or real_current()

    def ident() -> int:
        thread = simulated_thread()
        return real_ident() if thread is None or thread.ident is None else thread.ident

    real_start = _thread.start_new_thread

    def start(function: Callable[..., object], args: tuple[Any, ...]) -> int:
        if Running.inside() is None:
            return real_start(function, args)
        thread = SimulatedThread(target=function, args=args)
        thread.start()
        return thread.ident or 0

    replace(_thread, {"start_new_thread": start})
    replace(threading, {"current_thread": current, "get_ident": ident, "Thread": SimulatedThread})
    replace(threading, {"Lock": SimulatedLock, "RLock": SimulatedRLock, "_allocate_lock": SimulatedLock})
    replace(socket, {"socketpair": _socketpair})
    replace(selectors, {"DefaultSelector": SimulatedSelector})
