"""A file system in memory: directories, files, links of names to them, and locks that belong to an opening."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

LOCK_SHARED, LOCK_ALONE = 1, 2
BLOCK = 4096


@dataclass(eq=False, slots=True)
class Node:
    """A file, or a directory."""

    number: int
    mode: int
    uid: int
    changed: float
    data: bytearray = field(default_factory=bytearray)
    names: dict[str, Node] = field(default_factory=dict)
    links: int = 1
    locked: dict[Opening, int] = field(default_factory=dict)
    origin: str = ""
    """Its path."""

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)


@dataclass(eq=False, slots=True)
class Opening:
    """What a descriptor stands for: shared by the processes that inherited it, and the owner of its lock."""

    node: Node
    flags: int
    at: int = 0
    holders: int = 1


def problem(number: int) -> OSError:
    """Return the error that the kernel would."""
    return OSError(number, os.strerror(number))


class Disk:
    """All files of one machine."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._made = 0
        self.capacity = 1 << 40
        self.needs_writable_lock = False
        """As over NFS: an exclusive lock wants a descriptor that is open for writing."""

        self.root = self._new(stat.S_IFDIR | 0o755, "")
        self.root.uid = 0
        self.root.names["sim"] = self._new(stat.S_IFDIR | 0o700, "/sim")

    def _new(self, mode: int, name: str) -> Node:
        self._made += 1
        return Node(self._made, mode, os.geteuid(), self.clock(), origin=name)

    @property
    def used(self) -> int:
        return sum(len(node.data) for node in self.files())

    def files(self) -> list[Node]:
        """Return all files that have a name."""
        return [node for _, node in self.walk(self.root)]

    def walk(self, directory: Node, path: str = "") -> list[tuple[str, Node]]:
        """Return the paths of all files below a directory, and the files."""
        found: list[tuple[str, Node]] = []
        for name, node in sorted(directory.names.items()):
            if node.is_directory:
                found += self.walk(node, f"{path}/{name}")
            else:
                found.append((f"{path}/{name}", node))
        return found

    def find(self, start: Node, path: str) -> tuple[Node, str]:
        """Return the directory that a path ends in, and its last name."""
        parts = [part for part in path.split("/") if part not in ("", ".")]
        at = start
        for part in parts[:-1]:
            at = self.look_up(at, part)
        return at, parts[-1] if parts else "."

    def look_up(self, directory: Node, name: str) -> Node:
        if name == ".":
            return directory
        if not directory.is_directory:
            raise problem(errno.ENOTDIR)
        if name not in directory.names:
            raise problem(errno.ENOENT)
        return directory.names[name]

    def open(self, directory: Node, name: str, flags: int, mode: int) -> Opening:
        if flags & os.O_CREAT and name not in directory.names:
            if directory.links == 0:
                raise problem(errno.ENOENT)
            directory.names[name] = self._new(stat.S_IFREG | mode, f"{directory.origin}/{name}")
        elif flags & os.O_CREAT and flags & os.O_EXCL:
            raise problem(errno.EEXIST)
        node = self.look_up(directory, name)
        if flags & os.O_DIRECTORY and not node.is_directory:
            raise problem(errno.ENOTDIR)
        if node.is_directory and flags & os.O_ACCMODE != os.O_RDONLY:
            raise problem(errno.EISDIR)
        if flags & os.O_TRUNC:
            node.data.clear()
        return Opening(node, flags)

    def make_directory(self, directory: Node, name: str, mode: int) -> None:
        if name in directory.names:
            raise problem(errno.EEXIST)
        directory.names[name] = self._new(stat.S_IFDIR | mode, f"{directory.origin}/{name}")

    def remove(self, directory: Node, name: str) -> None:
        node = self.look_up(directory, name)
        if node.is_directory:
            raise problem(errno.EISDIR)
        del directory.names[name]
        node.links -= 1

    def remove_directory(self, directory: Node, name: str) -> None:
        node = self.look_up(directory, name)
        if node.names:
            raise problem(errno.ENOTEMPTY)
        del directory.names[name]
        node.links -= 1

    def rename(self, source: Node, old: str, target: Node, new: str) -> None:
        node = self.look_up(source, old)
        displaced = target.names.get(new)
        if displaced is node:
            return
        if displaced is not None:
            displaced.links -= 1
        target.names[new] = node
        node.origin = f"{target.origin}/{new}"
        del source.names[old]

    def link(self, source: Node, old: str, target: Node, new: str) -> None:
        if new in target.names:
            raise problem(errno.EEXIST)
        node = self.look_up(source, old)
        target.names[new] = node
        node.links += 1

    def write(self, opening: Opening, data: bytes, at: int | None = None) -> int:
        """Write what there is room for, which may be less than all."""
        if opening.flags & os.O_ACCMODE == os.O_RDONLY:
            raise problem(errno.EBADF)
        node = opening.node
        start = len(node.data) if opening.flags & os.O_APPEND else opening.at if at is None else at
        room = self.capacity - self.used if self.capacity < 1 << 40 else len(data)
        if data and room <= 0:
            raise problem(errno.ENOSPC)
        data = data[:room]
        node.data.extend(bytes(max(0, start - len(node.data))))
        node.data[start : start + len(data)] = data
        node.changed = self.clock()
        if at is None:
            opening.at = start + len(data)
        return len(data)

    def read(self, opening: Opening, count: int, at: int | None = None) -> bytes:
        if opening.flags & os.O_ACCMODE == os.O_WRONLY:
            raise problem(errno.EBADF)
        start = opening.at if at is None else at
        data = bytes(opening.node.data[start : start + count])
        if at is None:
            opening.at += len(data)
        return data

    def truncate(self, node: Node, length: int) -> None:
        node.data[:] = node.data[:length].ljust(length, b"\0")
        node.changed = self.clock()

    def lock(self, opening: Opening, kind: int | None) -> None:
        """Lock, or unlock with None; another's lock in the way is `BlockingIOError`."""
        locked = opening.node.locked
        if kind is None:
            locked.pop(opening, None)
            return
        if self.needs_writable_lock and kind == LOCK_ALONE and opening.flags & os.O_ACCMODE == os.O_RDONLY:
            raise problem(errno.EBADF)
        for other, theirs in locked.items():
            if other is not opening and LOCK_ALONE in (kind, theirs):
                raise problem(errno.EWOULDBLOCK)
        locked[opening] = kind

    def close(self, opening: Opening) -> None:
        opening.holders -= 1
        if opening.holders == 0:
            opening.node.locked.pop(opening, None)

    def stat(self, node: Node) -> os.stat_result:
        size, moment = len(node.data), node.changed
        links = node.links if not node.is_directory else node.links * 2
        whole = int(moment)
        return os.stat_result(
            (node.mode, node.number, 1, links, node.uid, node.uid, size, whole, whole, whole)
            + (moment, moment, moment)
            + (int(moment * 1e9),) * 3
        )

    def space(self) -> os.statvfs_result:
        free = max(0, self.capacity - self.used) // BLOCK
        total = self.capacity // BLOCK
        return os.statvfs_result((BLOCK, BLOCK, total, free, free, 1 << 20, 1 << 20, 1 << 20, 0, 255))
