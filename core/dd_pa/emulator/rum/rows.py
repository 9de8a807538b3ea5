"""Events of browsers as rows of the live list: a view has one row, however often its page sends it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace

from dd_pa.emulator.http.answers import ACCEPTED
from dd_pa.emulator.live.history import History
from dd_pa.emulator.live.row import Row
from dd_pa.emulator.rum.batch import BrowserEvent
from dd_pa.emulator.rum.view import View

MAX_OPEN = 2_000
"""Views that may still change in their row."""


class BrowserRows:
    """Adds them to the history. For one thread at a time."""

    def __init__(self, history: History, note: Callable[[int, int], None]) -> None:
        """`note` is told the number of each new row, and that of its event in the warehouse."""
        self._history = history
        self._note = note
        self._open: OrderedDict[str, tuple[int, View]] = OrderedDict()

    def take(self, events: Sequence[BrowserEvent], first: int) -> list[BrowserEvent]:
        """Add what one request brought, and return it with the numbers of the rows."""
        return [replace(event, row=self._row(event, number)) for number, event in enumerate(events, first)]

    def _row(self, event: BrowserEvent, number: int) -> int:
        if event.kind not in ("view", "view_update"):
            return self._add(event, event.kind, event.body, number)
        view_id: str = event.body["view"]["id"]
        known = self._open.get(view_id)
        if known is None:
            view = View()
            view.take(event.body)
            row = self._add(event, "view", view.body, number)
            self._open[view_id] = row, view
            if len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)
            return row
        if known[1].take(event.body):
            self._history.renew(known[0], known[1].body)
        return known[0]

    def _add(self, event: BrowserEvent, kind: str, body: object, number: int) -> int:
        row = self._history.add(
            lambda seq, received_ms: Row(
                seq=seq,
                received_ms=received_ms,
                status=202,
                reason=None,
                reason_path=None,
                body=body,
                raw=None,
                size=event.size,
                encoding=None,
                headers=(),
                answer=ACCEPTED,
                kind=kind,
            )
        )
        self._note(row.seq, number)
        return row.seq

    def clear(self) -> None:
        """Forget which views have rows."""
        self._open.clear()
