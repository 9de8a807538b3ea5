from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from dd_pa.doctor.finding import Finding
from dd_pa.errors import SpoolError
from dd_pa.settings.settings import Settings

if TYPE_CHECKING:
    from dd_pa.store.inspection import Waiting

OLD = 15 * 60
"""Seconds after which an event that waits shows that nobody delivers it, or that the intake takes nothing."""


def examine_spool(settings: Settings) -> Iterator[Finding]:
    """Say whether events are safe on disk, and what waits or was rejected there."""
    if settings.spool_dir is None:
        yield Finding(
            state="note", subject="SPOOL_DIR", text="is None: a killed process loses what waits in its memory"
        )
        return
    try:
        found = waiting(settings)
    except (SpoolError, OSError) as error:
        fix = "until then events wait in memory, and a killed process loses them"
        yield Finding(state="warning", subject="SPOOL_DIR", text=str(error), fix=fix)
        return
    if found is None:
        yield Finding(state="note", subject="SPOOL_DIR", text="this system has no flock: events wait in memory")
        return
    yield from _explained(settings, found)


def spool_place(settings: Settings) -> str | None:
    """Return the directory that SPOOL_DIR means, or None where there is none. Opens nothing."""
    if settings.spool_dir is None or find_spec("fcntl") is None:
        return None
    from dd_pa.store.trusted_directory import UnsafePlaceError, spool_path  # noqa: PLC0415 - cannot be imported without fcntl

    try:
        return spool_path(settings.spool_dir)
    except UnsafePlaceError:  # `examine_spool` says so
        return None


def waiting(settings: Settings) -> Waiting | None:
    """Look into the spool of the settings' application, made if it is missing; None where there can be none.

    Raises `SpoolError` if the directory cannot be trusted or used, and `OSError`.
    """
    if settings.spool_dir is None or find_spec("fcntl") is None:
        return None
    from dd_pa.store.destination import Destination  # noqa: PLC0415 - cannot be imported without fcntl
    from dd_pa.store.directory import AlienFileError  # noqa: PLC0415
    from dd_pa.store.inspection import look_into  # noqa: PLC0415
    from dd_pa.store.trusted_directory import UnsafePlaceError  # noqa: PLC0415

    try:
        return look_into(Destination(settings.spool_dir, settings.application_id, str(settings.intake_url)))
    except (UnsafePlaceError, AlienFileError) as error:
        raise SpoolError(str(error)) from None


def _explained(settings: Settings, found: Waiting) -> Iterator[Finding]:
    text = f"{found.bytes:,} of {settings.spool_max_bytes:,} bytes in {found.segments} segments, in {found.path}"
    yield Finding(state="ok", subject="SPOOL_DIR", text=text)
    yield from _backlog(found)
    if found.rejected:
        fix = "dd-pa spool list shows the reasons; dd-pa spool replay sends them again"
        yield Finding(state="warning", subject="dead letters", text=f"{found.rejected} rejected events", fix=fix)
    if settings.delivery == "process" and not found.is_delivered:
        fix = "start dd-pa deliver with the same settings, one per host"
        yield Finding(state="failure", subject="DELIVERY", text="is process, and no dd-pa deliver runs", fix=fix)


def _backlog(found: Waiting) -> Iterator[Finding]:
    if found.age is not None and found.age > OLD:
        text = f"events may wait since {found.age / 60:,.0f} min"
        yield Finding(
            state="warning", subject="backlog", text=text, fix="see whether a process delivers, and the intake"
        )
