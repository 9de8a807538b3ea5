"""Opens the spool's directory, and trusts it only if no other user can change what is in it.

A symbolic link is refused wherever it stands in the path, except at the top of the file system, where only root can
make one (`/home` -> `/usr/home`).
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path, PurePath

import platformdirs

from dd_pa.store.directory import Descriptor

_FLAGS = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PASSING = _FLAGS | getattr(os, "O_PATH", os.O_RDONLY)
"""A parent may let us pass without letting us list it."""


class UnsafePlaceError(Exception):
    """The spool's directory cannot be trusted or used; the message says why and what to do."""


def spool_path(setting: str) -> str:
    """Return the absolute path that a SPOOL_DIR setting means. Raises `UnsafePlaceError` if there is no home."""
    path = platformdirs.user_state_path("dd-pa") / "spool" if setting == "auto" else Path(setting).expanduser()
    if str(path).startswith("~"):
        raise UnsafePlaceError("this user has no home directory; set SPOOL_DIR to a path")
    return os.path.abspath(path)  # asks for the working directory, which may be gone, of a relative path only


def open_place(path: str) -> Descriptor:
    """Open the directory `path`, made with mode 0700 if it is missing, as its parents are.

    Raises `UnsafePlaceError`.
    """
    parts = PurePath(_without_top_link(path)).parts
    place = Descriptor(lambda: os.open("/", _PASSING))
    at = PurePath("/")
    for part in parts[1:-1]:
        at /= part
        place = _enter(place, part, at, _PASSING)
        _check_parent(place, at)
    place = _enter(place, parts[-1], PurePath(path), _FLAGS | os.O_RDONLY)
    check_private(place, path)
    return place


def open_room(place: Descriptor, name: str, path: str) -> Descriptor:
    """Open a directory inside one that is trusted, made if it is missing. Raises `UnsafePlaceError`."""
    room = _enter(place, name, PurePath(path, name), _FLAGS | os.O_RDONLY)
    check_private(room, str(PurePath(path, name)))
    return room


def _without_top_link(path: str) -> str:
    parts = PurePath(path).parts
    if len(parts) > 2 and Path("/", parts[1]).is_symlink():
        return str(PurePath(os.path.realpath(f"/{parts[1]}"), *parts[2:]))
    return path


def _enter(place: Descriptor, name: str, path: PurePath, flags: int) -> Descriptor:
    def opened() -> int:
        return os.open(name, flags, dir_fd=place.fd)

    try:
        try:
            return Descriptor(opened)
        except FileNotFoundError:
            _make(place, name)
            return Descriptor(opened)
    except OSError as error:
        raise UnsafePlaceError(_why(error, path)) from error


def _make(place: Descriptor, name: str) -> None:
    try:
        os.mkdir(name, 0o700, dir_fd=place.fd)
    except FileExistsError:  # made by a neighbour a moment ago
        return
    os.chmod(name, 0o700, dir_fd=place.fd)  # the umask may have taken our own rights; nobody else can swap it here


def _why(error: OSError, path: PurePath) -> str:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return f"{str(path)!r} is a symbolic link or no directory; set SPOOL_DIR to the real path of a directory"
    return f"{str(path)!r} cannot be used ({error.strerror}); set SPOOL_DIR to a directory that this user can write"


def _check_parent(place: Descriptor, path: PurePath) -> None:
    found = place.stat()
    if found.st_uid not in (0, os.geteuid()):
        raise UnsafePlaceError(f"{str(path)!r} belongs to another user; set SPOOL_DIR to a path below your own")
    if found.st_mode & stat.S_ISVTX or not _writable_by_others(found):
        return
    raise UnsafePlaceError(f"others can write in {str(path)!r}; run: chmod go-w (or chmod +t) {str(path)!r}")


def _writable_by_others(found: os.stat_result) -> bool:
    alone = found.st_uid != 0 and found.st_uid == found.st_gid  # a group of one's own, as many distributions make
    return bool(found.st_mode & (stat.S_IWOTH if alone else stat.S_IWOTH | stat.S_IWGRP))


def check_private(place: Descriptor, path: str) -> None:
    """Raise `UnsafePlaceError` if another user owns the directory or could write in it."""
    found = place.stat()
    if found.st_uid != os.geteuid():
        raise UnsafePlaceError(f"{path!r} belongs to another user; set SPOOL_DIR to a directory of this user")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UnsafePlaceError(f"others can write in {path!r}; run: chmod 700 {path!r}")
