"""The machine that a benchmark ran on, and how much others did there meanwhile."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Iterable
from pathlib import Path

BUSY = 0.1
"""Cores used by others from which a run is marked as one on a busy machine."""

STOLEN = 0.02
"""Part of the time in which a virtual machine was not run, from which it is, too."""


class Watch:
    """Notes what the machine does from its making on.

    `servers` are names of programs that work for the benchmark and are none of its children, such as a database's.
    """

    def __init__(self, servers: Iterable[str] = ()) -> None:
        self._servers = frozenset(servers)
        self._load = os.getloadavg()[0]
        self._began, self._used, self._stolen = time.monotonic(), *_machine()
        self._own = self._own_cpu()

    def _own_cpu(self) -> float:
        """Return the CPU seconds of this process, of those that it has waited for, and of the servers."""
        kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        own = sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))
        return own + sum(map(_cpu, _processes(self._servers)))

    @property
    def others(self) -> float:
        """Return how many cores were used by processes that do not belong to the benchmark."""
        used, _ = _machine()
        return max(0.0, used - self._used - (self._own_cpu() - self._own)) / (time.monotonic() - self._began)

    @property
    def stolen(self) -> float:
        """Return the part of the time, of one core, in which the host ran other machines."""
        return (_machine()[1] - self._stolen) / (time.monotonic() - self._began)

    def verdict(self) -> str:
        """Return what happened around the benchmark, in one sentence; in capitals if it was much."""
        others, stolen = self.others, self.stolen
        said = f"load {self._load:.1f} at the start, others used {others:.2f} cores meanwhile, {stolen:.1%} stolen"
        return f"BUSY MACHINE: {said}" if others > BUSY or stolen > STOLEN else f"quiet machine: {said}"


def described() -> str:
    return f"{os.cpu_count()} cores {_model()}, {platform.system()}, Python {platform.python_version()}"


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _machine() -> tuple[float, float]:
    """Return the CPU seconds that all processes have used since the start of the machine, and those stolen."""
    user, nice, system, _idle, _wait, interrupts, soft, stolen = map(
        int, Path("/proc/stat").read_text().split(maxsplit=9)[1:9]
    )
    tick = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + interrupts + soft) / tick, stolen / tick


def _processes(names: frozenset[str]) -> Iterable[int]:
    if names:
        for comm in Path("/proc").glob("[0-9]*/comm"):
            try:
                if comm.read_text().strip() in names:
                    yield int(comm.parent.name)
            except (FileNotFoundError, ProcessLookupError):
                continue


def _cpu(pid: int) -> float:
    """Return the CPU seconds of a process and of its children that have ended; none if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def cpu_of(pid: int) -> float:
    """Return the CPU seconds of a process's living threads, to the nanosecond."""
    return sum(int(found.read_text().split()[0]) for found in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
