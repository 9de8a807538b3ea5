"""The views that may still change, so that each is one row however often its page sends it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from dd_pa.emulator.rum.view import View

MAX_OPEN = 5_000


class Views:
    """The youngest views with the rows they are in. For the writer alone."""

    def __init__(self, find: Callable[[str], tuple[int, dict[str, Any]] | None]) -> None:
        """`find` looks up row and body of a view that is no longer here."""
        self._find = find
        self._open: OrderedDict[str, View] = OrderedDict()
        self._rows: dict[str, int] = {}

    def take(self, view_id: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Return the view after this version, None if it changes nothing."""
        view = self._open.get(view_id)
        if view is None:
            view = self._recall(view_id)
        self._open.move_to_end(view_id)
        return view.body if view.take(body) else None

    def _recall(self, view_id: str) -> View:
        view = self._open[view_id] = View()
        known = self._find(view_id)
        if known is not None:
            self._rows[view_id] = known[0]
            view.take(known[1])
        if len(self._open) > MAX_OPEN:
            self._rows.pop(self._open.popitem(last=False)[0], None)
        return view

    def moved(self, view_id: str, row: int) -> int | None:
        """Remember the row a view is in now; return the one it was in before."""
        before = self._rows.get(view_id)
        self._rows[view_id] = row
        return before

    def clear(self) -> None:
        """Forget all."""
        self._open.clear()
        self._rows.clear()
