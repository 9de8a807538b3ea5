"""The lock file: the plan as it was agreed on, in the repository, for a review to see what changes."""

from __future__ import annotations

from pathlib import Path

import msgspec

from dd_pa.errors import PlanError
from dd_pa.plan.model import Plan, PlannedEvent

NAME = "events.lock.json"
VERSION = 1
"""Of the file's form. One that a newer dd-pa has written may say more than this one reads."""

_MARKS = (b"<<<<<<< ", b">>>>>>> ")


class ConflictError(PlanError):
    """A merge has left both sides in the file."""


class _Version(msgspec.Struct):
    version: int


class _Lock(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    events: list[PlannedEvent]


def read(path: Path) -> Plan | None:
    """Return the plan of a lock file, or None if there is no file. Raises `PlanError` for one that is none."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PlanError(str(path), f"cannot be read: {error.strerror}") from None
    return parsed(path, content)


def parsed(path: Path, content: bytes) -> Plan:
    """Return the plan of a lock file's content. Raises `PlanError` for one that is none."""
    _refuse_conflicts(path, content)
    try:
        version = msgspec.json.decode(content, type=_Version).version
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PlanError(str(path), f"is no lock file of events: {error}; take it from the repository again") from None
    if version > VERSION:
        problem = f"is of version {version}, and this dd-pa knows {VERSION}: a newer one has written it; update dd-pa"
        raise PlanError(str(path), problem)
    try:
        lock = msgspec.json.decode(content, type=_Lock)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PlanError(str(path), f"is damaged: {error}; take it from the repository again") from None
    return Plan(_by_name(path, lock.events))


def _refuse_conflicts(path: Path, content: bytes) -> None:
    for number, line in enumerate(content.splitlines(), 1):
        if line.startswith(_MARKS):
            fix = "keep either side, and let dd-pa events check --update write it anew"
            raise ConflictError(f"{path}:{number}", f"has the marks of a merge conflict: {fix}")


def _by_name(path: Path, events: list[PlannedEvent]) -> dict[str, PlannedEvent]:
    found: dict[str, PlannedEvent] = {}
    for event in events:
        if event.name in found:
            fix = "a merge has kept both; keep one, or let dd-pa events check --update write it anew"
            raise ConflictError(str(path), f"has {event.name!r} twice: {fix}")
        found[event.name] = event
    return found


def encoded(plan: Plan) -> bytes:
    """Return a lock file's content: the same for the same plan, one line for each thing that may change."""
    events = [plan.events[name] for name in sorted(plan.events)]
    return msgspec.json.format(msgspec.json.encode(_Lock(version=VERSION, events=events)), indent=2) + b"\n"


def write(path: Path, plan: Plan) -> None:
    """Write a lock file. Raises `PlanError` if that cannot be done."""
    try:
        path.write_bytes(encoded(plan))
    except OSError as error:
        raise PlanError(str(path), f"cannot be written: {error.strerror}") from None
