"""The sessions of a former run, from the events it left in its data folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from dd_pa.emulator.intake.answers import ACCEPTED
from dd_pa.emulator.row import Row
from dd_pa.emulator.rum.batch import KINDS, BrowserEvent
from dd_pa.emulator.sessions.store import Sessions

MAX_EVENTS = 20_000
"""Events of a former run that are told again, the newest."""


def restore(sessions: Sessions, stored: Iterable[tuple[int, int, str]]) -> None:
    """Fill the sessions with (row, time, body) of events, oldest first."""
    for event in _events(stored):
        if isinstance(event, Row):
            sessions.take_row(event)
        else:
            sessions.take_browser([event])


def _events(stored: Iterable[tuple[int, int, str]]) -> Iterator[Row | BrowserEvent]:
    for seq, ts, content in stored:
        body: dict[str, Any] = json.loads(content)
        kind = body.get("type")
        if kind == "server":
            yield _row(seq, ts, body, len(content))
        elif kind in KINDS:
            session_id = body["session"]["id"]
            yield BrowserEvent(
                body=body, kind=kind, session_id=session_id, date_ms=ts, size=len(content), received_ms=ts
            )


def _row(seq: int, ts: int, body: dict[str, Any], size: int) -> Row:
    """Return the event as a row; its number is none of the live list's, which forgot it."""
    return Row(
        seq=-seq,
        received_ms=ts,
        status=202,
        reason=None,
        reason_path=None,
        body=body,
        raw=None,
        size=size,
        encoding=None,
        headers=(),
        answer=ACCEPTED,
    )
