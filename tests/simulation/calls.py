"""The calls of `os` and `fcntl`, for simulated processes: any of them may fail, wait or be a process's last."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import stat
from collections.abc import Callable, Iterator
from typing import Any

from tests.simulation.disk import LOCK_ALONE, LOCK_SHARED, Disk, Node, Opening, problem
from tests.simulation.faults import FileFaults
from tests.simulation.process import Process
from tests.simulation.scheduler import Scheduler

FIRST = 1_000_000
"""Descriptors of simulated processes begin here, and none is used twice."""


class Calls:
    """One machine's kernel."""

    def __init__(self, scheduler: Scheduler, disk: Disk, faults: FileFaults, draws: random.Random) -> None:
        self._scheduler, self._disk, self._faults, self._draws = scheduler, disk, faults, draws
        self._next = FIRST
        self._opened_by: dict[int, Process] = {}
        self.switching = 0.05
        """Chance that another thread goes on between two calls."""

        self.cost = 0.0
        """Seconds that a call takes."""

        self.on_open: Callable[[Process], None] | None = None
        """Called once, when a process has made a file and does not know its descriptor yet."""

        self.doom: tuple[str, int] | None = None
        """The process that makes such a call next, or the one so many later, is killed before it is done."""

        self.on_kill: Callable[[Process], None] = lambda process: None

    def is_ours(self, path: object, dir_fd: int | None) -> bool:
        """Tell whether a call is about the simulated disk."""
        if isinstance(path, int) and not isinstance(path, bool):
            return path >= FIRST
        if dir_fd is not None:
            return dir_fd >= FIRST
        text = os.fspath(path) if isinstance(path, str | os.PathLike) else ""
        return text == "/" or str(text).startswith("/sim/") or text == "/sim"

    def _process(self) -> Process:
        strand = self._scheduler.current
        assert strand is not None, "only simulated processes use the simulated disk"
        assert isinstance(strand.owner, Process)
        return strand.owner

    def _begin(self, call: str, node: Node | None, path: str, at: int = 0) -> Process:
        """Let time pass and others run, let the process die here if it is to, or raise what goes wrong."""
        process = self._process()
        strand = self._scheduler.current
        assert strand is not None
        strand.work += 1
        process.calls += 1
        process.most_work = max(process.most_work, strand.work)
        if self._is_last(process, call):
            self._die(process)
        work = strand.work
        if self.cost >= 0.001:
            self._scheduler.park(self.cost)
        else:
            self._scheduler.now += self.cost
            if self._draws.random() < self.switching:
                self._scheduler.pause()
        strand.work = work
        if self._faults.faults:
            error = self._faults.check(call, path or (node.origin if node else ""), node, at, self._scheduler.now)
            if error:
                process.failed_calls += 1
                raise problem(error)
        return process

    def _is_last(self, process: Process, call: str) -> bool:
        if process.dies_after is not None:
            process.dies_after -= 1
            if process.dies_after < 0:
                return True
        if self.doom is None or self.doom[0] != call:
            return False
        self.doom = (call, self.doom[1] - 1) if self.doom[1] else None
        return self.doom is None

    def _die(self, process: Process) -> None:
        self.on_kill(process)
        self._scheduler.leave_for_ever()

    def close_all(self, process: Process) -> None:
        """Close what a dead process had open."""
        for opening in process.descriptors.values():
            self._disk.close(opening)
        process.descriptors.clear()

    def _opening(self, fd: int) -> Opening:
        try:
            return self._process().descriptors[fd]
        except KeyError:
            raise problem(errno.EBADF) from None

    def _directory(self, dir_fd: int | None) -> Node:
        return self._disk.root if dir_fd is None else self._opening(dir_fd).node

    def _place(self, path: object, dir_fd: int | None) -> tuple[Node, str, str]:
        directory, name = self._disk.find(self._directory(dir_fd), str(os.fspath(path)))  # type: ignore[call-overload]
        return directory, name, f"{directory.origin}/{name}"

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        directory, name, where = self._place(path, dir_fd)
        known = directory.names.get(name)
        call = "create" if flags & os.O_CREAT and known is None else "open"
        process = self._begin(call, known, where)
        opening = self._disk.open(directory, name, flags, mode)
        self._next += 1
        process.descriptors[self._next] = opening
        self._opened_by[self._next] = process
        process.most_open = max(process.most_open, len(process.descriptors))
        opened = self._next
        if call == "create" and self.on_open is not None:
            act, self.on_open = self.on_open, None
            act(process)
            self._scheduler.pause()
        elif self._draws.random() < self.switching:
            self._scheduler.pause()
        return opened

    def inherit(self, parent: Process, child: Process) -> None:
        """Give a forked child what its parent has open; a lock is the opening's, and so of both."""
        for fd, opening in parent.descriptors.items():
            opening.holders += 1
            child.descriptors[fd] = opening

    def close(self, fd: int) -> None:
        strand = self._scheduler.current
        process = strand.owner if strand is not None else None
        if not isinstance(process, Process):  # garbage, collected outside of all processes
            process = self._opened_by.get(fd)
        if process is not None and fd in process.descriptors:
            self._disk.close(process.descriptors.pop(fd))

    def read(self, fd: int, count: int, /) -> bytes:
        opening = self._opening(fd)
        self._begin("read", opening.node, "", opening.at)
        return self._disk.read(opening, count)

    def pread(self, fd: int, count: int, at: int, /) -> bytes:
        opening = self._opening(fd)
        self._begin("read", opening.node, "", at)
        return self._disk.read(opening, count, at)

    def write(self, fd: int, data: bytes, /) -> int:
        return self._write(fd, data, None)

    def pwrite(self, fd: int, data: bytes, at: int, /) -> int:
        return self._write(fd, data, at)

    def _write(self, fd: int, data: bytes, at: int | None) -> int:
        opening, process = self._opening(fd), self._process()
        if process.dies_after == 0:  # in the middle of it
            self._disk.write(opening, bytes(data)[: self._draws.randrange(len(data) + 1)], at)
        self._begin("write", opening.node, "")
        written = 0
        try:
            written = self._disk.write(opening, bytes(data), at)
        finally:
            process.failed_calls += written < len(data)
        return written

    def writev(self, fd: int, parts: Any, /) -> int:
        return self._write(fd, b"".join(bytes(part) for part in parts), None)

    def stat(self, path: Any, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
        if isinstance(path, int):
            return self.fstat(path)
        directory, name, where = self._place(path, dir_fd)
        node = directory.names.get(name, directory if name == "." else None)
        self._begin("stat", node, where)
        return self._disk.stat(self._disk.look_up(directory, name))

    def fstat(self, fd: int) -> os.stat_result:
        opening = self._opening(fd)
        self._begin("fstat", opening.node, "")
        return self._disk.stat(opening.node)

    def listdir(self, path: Any) -> list[str]:
        node = self._opening(path).node if isinstance(path, int) else self._node(path)
        self._begin("listdir", node, "")
        names = list(node.names)
        self._draws.shuffle(names)
        return names

    def _node(self, path: object) -> Node:
        directory, name, _ = self._place(path, None)
        return self._disk.look_up(directory, name)

    def scandir(self, path: Any) -> Entries:
        node = self._opening(path).node if isinstance(path, int) else self._node(path)
        return Entries(Entry(self, node, name) for name in self.listdir(path))

    def rename(self, src: Any, dst: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
        source, old, where = self._place(src, src_dir_fd)
        target, new, _ = self._place(dst, dst_dir_fd)
        self._begin("rename", source.names.get(old), where)
        self._disk.rename(source, old, target, new)

    replace = rename

    def link(
        self,
        src: Any,
        dst: Any,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        source, old, where = self._place(src, src_dir_fd)
        target, new, _ = self._place(dst, dst_dir_fd)
        self._begin("create", source.names.get(old), where)
        self._disk.link(source, old, target, new)

    def unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        directory, name, where = self._place(path, dir_fd)
        self._begin("unlink", directory.names.get(name), where)
        self._disk.remove(directory, name)

    remove = unlink

    def mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        directory, name, where = self._place(path, dir_fd)
        self._begin("mkdir", None, where)
        self._disk.make_directory(directory, name, mode)

    def rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        directory, name, where = self._place(path, dir_fd)
        self._begin("unlink", None, where)
        self._disk.remove_directory(directory, name)

    def chmod(self, path: Any, mode: int, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> None:
        if isinstance(path, int):
            return self.fchmod(path, mode)
        directory, name, where = self._place(path, dir_fd)
        self._begin("chmod", directory.names.get(name), where)
        self._set_mode(self._disk.look_up(directory, name), mode)
        return None

    def fchmod(self, fd: int, mode: int) -> None:
        opening = self._opening(fd)
        self._begin("chmod", opening.node, "")
        self._set_mode(opening.node, mode)

    def _set_mode(self, node: Node, mode: int) -> None:
        node.mode = stat.S_IFMT(node.mode) | mode

    def utime(self, path: Any, times: tuple[float, float] | None = None, **options: Any) -> None:
        fd_or_place = self._opening(path).node if isinstance(path, int) else None
        if fd_or_place is None:
            directory, name, _ = self._place(path, options.get("dir_fd"))
            fd_or_place = self._disk.look_up(directory, name)
        self._begin("utime", fd_or_place, "")
        moment = times[1] if times is not None else options["ns"][1] / 1e9 if "ns" in options else None
        fd_or_place.changed = self._disk.clock() if moment is None else moment

    def fsync(self, fd: int) -> None:
        self._begin("sync", self._opening(fd).node, "")

    fdatasync = fsync

    def ftruncate(self, fd: int, length: int, /) -> None:
        opening = self._opening(fd)
        self._begin("truncate", opening.node, "")
        self._disk.truncate(opening.node, length)

    def lseek(self, fd: int, at: int, how: int, /) -> int:
        opening = self._opening(fd)
        opening.at = {os.SEEK_SET: 0, os.SEEK_CUR: opening.at, os.SEEK_END: len(opening.node.data)}[how] + at
        return opening.at

    def fstatvfs(self, fd: int, /) -> os.statvfs_result:
        self._begin("statvfs", self._opening(fd).node, "")
        return self._disk.space()

    def flock(self, fd: Any, operation: int) -> None:
        opening = self._opening(fd if isinstance(fd, int) else fd.fileno())
        self._begin("lock", opening.node, "")
        kinds = {fcntl.LOCK_SH: LOCK_SHARED, fcntl.LOCK_EX: LOCK_ALONE, fcntl.LOCK_UN: None}
        self._disk.lock(opening, kinds[operation & ~fcntl.LOCK_NB])


class Entries:
    """What `os.scandir` returns."""

    def __init__(self, entries: Iterator[Entry]) -> None:
        self._entries = entries

    def __iter__(self) -> Iterator[Entry]:
        return self._entries

    def __next__(self) -> Entry:
        return next(self._entries)

    def __enter__(self) -> Entries:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def close(self) -> None:
        self._entries = iter(())


class Entry:
    """One name that it yields."""

    def __init__(self, calls: Calls, directory: Node, name: str) -> None:
        self._calls, self._directory, self.name = calls, directory, name

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        self._calls._begin("stat", self._directory.names.get(self.name), f"{self._directory.origin}/{self.name}")
        return self._calls._disk.stat(self._calls._disk.look_up(self._directory, self.name))

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        node = self._directory.names.get(self.name)
        return node is not None and not node.is_directory

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        node = self._directory.names.get(self.name)
        return node is not None and node.is_directory

    def is_symlink(self) -> bool:
        return False

    def inode(self) -> int:
        node = self._directory.names.get(self.name)
        return node.number if node is not None else 0
