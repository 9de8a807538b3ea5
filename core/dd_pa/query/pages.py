"""A list to its end: one request after another, though the API answers 1,000 events at most and knows no next page."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from dd_pa.errors import QueryError
from dd_pa.query.rows import Row, Rows
from dd_pa.query.schema.analytics import ListRequest, ListSort, Records

PAGE = 1_000
_TIME = "timestamp"


class Pages:
    """Which request comes next, and which rows of its answer are new. For one walk through one list.

    The next page begins with the millisecond in which the last one ended; what was there already is left out.
    """

    def __init__(self, request: ListRequest) -> None:
        """Raises ValueError for a list that is in another order than that of time."""
        query = request.query
        sort = query.sort or ListSort()
        if sort.facet not in (None, _TIME):
            raise ValueError(
                f"a list goes on by time: sort by {_TIME}, or leave the order by {sort.facet} to the caller"
            )
        self._rises = sort.order == "asc"
        self._left = query.limit
        self._hides_time = query.columns is not None and _TIME not in query.columns
        columns = [*(query.columns or ()), _TIME] if self._hides_time else query.columns
        asked = replace(query, columns=columns, sort=ListSort(facet=_TIME, order=sort.order or "desc"), limit=PAGE)
        self.request: ListRequest | None = replace(request, query=asked)
        """What to ask next; None at the end."""
        self._known: Counter[bytes] = Counter()
        """Rows of the millisecond in which the last page ended."""

    def take(self, records: Records) -> Rows:
        """Return the rows of a page that are new. Raises `QueryError` where no other page can be asked for."""
        known, found = self._known.copy(), Rows()
        for row in records.records:
            written = _written(row)
            if known[written]:
                known[written] -= 1
            else:
                found.append(row)
        self._turn(records.records, found)
        return self._shown(found)

    def _turn(self, page: list[Row], found: Rows) -> None:
        request = self.request
        if request is None or len(page) < PAGE:
            self.request = None
            return
        if not found:
            raise QueryError(
                f"more than {PAGE:,} events have the same time: a list cannot go on there; narrow the search"
            )
        last = _moment(page[-1])
        self._known = Counter(_written(row) for row in page if _moment(row) == last)
        self.request = replace(request, from_=last) if self._rises else replace(request, to=last)

    def _shown(self, found: Rows) -> Rows:
        if self._left is not None:
            found = Rows(found[: self._left])
            self._left -= len(found)
            self.request = self.request if self._left else None
        if not self._hides_time:
            return found
        return Rows({name: value for name, value in row.items() if name != _TIME} for row in found)


def _written(row: Row) -> bytes:
    return msgspec.json.encode(row, order="sorted")


def _moment(row: Row) -> int:
    """Return when an event was, epoch milliseconds."""
    value: Any = row.get(_TIME)
    if isinstance(value, str):
        value = datetime.fromisoformat(value).timestamp() * 1000
    if not isinstance(value, int | float):
        raise QueryError(f"a row without {_TIME}, by which the next page would be asked for")
    return int(value)
