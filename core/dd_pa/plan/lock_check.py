"""`dd-pa events check`: the classes that are imported against the lock file, in words."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from dd_pa.errors import PlanError
from dd_pa.plan import lock_file
from dd_pa.plan.changes import PlanChange, changes
from dd_pa.plan.event_modules import HOW_TO_NAME, NOTHING_IMPORTED
from dd_pa.plan.model import Plan, shown, walk
from dd_pa.plan.registry import declared_plan
from dd_pa.plan.revision import read_at


class Report(NamedTuple):
    """What a check has found."""

    lines: Sequence[str]
    is_good: bool
    """Whether the lock file holds what is declared; or does now."""


def check(path: Path, *, update: bool = False, today: date | None = None) -> Report:
    """Compare the event classes that are imported with the lock file at `path`; write that where `update`.

    Raises `PlanError` for a lock file that cannot be read, and for a class that cannot be sent.
    """
    day = today or date.today()
    plan, before = declared_plan(), _agreed(path, update=update)
    if not plan.events and (before is None or not before.events):
        raise PlanError("", NOTHING_IMPORTED)
    if before is None and not update:
        return Report([f"{path}: is not there yet; write it with dd-pa events check --update"], is_good=False)
    found = changes(before or Plan({}), plan, day)
    lines = [*map(str, found), *_not_imported(before, plan), *_reminders(plan, day)]
    if update:
        lock_file.write(path, plan)
        return Report([*lines, f"{path}: {_counted(len(plan.events), 'event')} written"], is_good=True)
    return Report([*lines, _summary(path, plan, found)], is_good=not found)


def compare(path: Path, revision: str, *, today: date | None = None) -> Report:
    """Compare the event classes that are imported with the lock file at `path` as it was at a revision of git.

    Good is what breaks no reader. Raises `PlanError` as `check` does, and for a revision that is not known.
    """
    plan = declared_plan()
    if not plan.events:
        raise PlanError("", NOTHING_IMPORTED)
    before = read_at(path, revision)
    found = changes(before, plan, today or date.today())
    breaking = sum(change.is_breaking for change in found)
    said = f"since {revision}: {_counted(len(found), 'change')}, {breaking} breaking for readers"
    return Report([*map(str, found), *_not_imported(before, plan), said], is_good=not breaking)


def _agreed(path: Path, *, update: bool) -> Plan | None:
    try:
        return lock_file.read(path)
    except lock_file.ConflictError:
        if not update:
            raise
        return None  # what is declared decides


def _summary(path: Path, plan: Plan, found: Sequence[PlanChange]) -> str:
    if not found:
        return f"{path}: {_counted(len(plan.events), 'event')} as agreed"
    breaking = sum(change.is_breaking for change in found)
    return (
        f"{path}: {_counted(len(found), 'change')} not recorded, {breaking} breaking for readers; "
        "record with dd-pa events check --update"
    )


def _not_imported(before: Plan | None, plan: Plan) -> Iterator[str]:
    """Say of what is missing that its module may not have been imported."""
    for name, event in (before.events if before is not None else {}).items():
        module = event.source.partition(":")[0].rpartition(".")[0]
        while module and module not in sys.modules and not _exists(module):
            module = module.rpartition(".")[0]  # a class in a class or a function
        if name not in plan.events and module and module not in sys.modules:
            yield f"            {name} was declared in {module}, which is not imported: {HOW_TO_NAME}"


def _exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _reminders(plan: Plan, today: date) -> Iterator[str]:
    for event in plan.events.values():
        if event.deprecated is not None and event.deprecated.is_over(today):
            yield f"note        {event.name} may be removed: it was deprecated until {event.deprecated.until}"
        for path, field in walk(event.fields):
            if field.deprecated is not None and field.deprecated.is_over(today):
                until = field.deprecated.until
                yield f"note        {event.name}: {shown(path)} may be removed: it was deprecated until {until}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
