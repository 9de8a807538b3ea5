"""One statement in the making: conditions and expressions over the table of events, with their values."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from dd_pa.emulator.search.tree import Node
from dd_pa.emulator.warehouse.clauses import Binding, Conditions
from dd_pa.emulator.warehouse.extent import EVERYTHING, Extent
from dd_pa.emulator.warehouse.query_deadline import QueryDeadline
from dd_pa.emulator.warehouse.warehouse import Warehouse

Known = TypeVar("Known")
_NUMBERS_AT_ONCE = 10_000


class Statement:
    """Made for one request; several may be run one after the other within its time. Blocks: use it on a worker thread.

    Raises WarehouseError where there is no database, and QueryTimeoutError.
    """

    def __init__(self, warehouse: Warehouse, deadline: QueryDeadline | None = None) -> None:
        self.deadline = deadline or QueryDeadline(warehouse.patience)
        """What each loop over many results asks whether to go on."""
        self._warehouse = warehouse
        self._catalogue = warehouse.catalogue(self.deadline.seconds)
        self.bind = Binding()
        self._conditions = Conditions(self._catalogue, self.bind)
        self._known: dict[str, Any] = {}

    @property
    def ceiling(self) -> int:
        """Return a number that no event has while this runs."""
        return self._warehouse.ceiling

    def rows(self, sql: str, extent: Extent = EVERYTHING) -> list[tuple[Any, ...]]:
        """Run it with the values that its text names. Its conditions leave nothing outside of the extent."""
        named = set(re.findall(r"\$(p[0-9]+)", sql))
        return self._warehouse.read(sql, {name: self.bind.values[name] for name in named}, self.deadline, extent)

    def bodies(self, numbers: Sequence[int]) -> dict[int, str]:
        """Return the JSON of events by their numbers, in the order of these; those that are gone are left out.

        Files have no JSON: it is put together for each event that is asked for, and with a search it would be for all.
        """
        found: dict[int, str] = {}
        for first in range(0, len(numbers), _NUMBERS_AT_ONCE):
            some = numbers[first : first + _NUMBERS_AT_ONCE]
            part = ", ".join(f"{number:d}" for number in some)
            extent = Extent(numbers=(min(some), max(some)))
            found |= dict(self.rows(f"SELECT seq, body FROM events WHERE seq IN ({part})", extent))
        return {number: found[number] for number in numbers if number in found}

    def once(self, name: str, work_out: Callable[[], Known]) -> Known:
        """Return what is worked out the first time it is asked for."""
        if name not in self._known:
            self._known[name] = work_out()
        found: Known = self._known[name]
        return found

    def search(self, node: Node) -> str:
        """Return the condition of a search."""
        return self._conditions.of(node)

    def between(self, window: tuple[int, int]) -> str:
        """Return the condition of a time range; both ends belong to it."""
        return f"ts BETWEEN {self.bind(window[0])} AND {self.bind(window[1])}"

    def paths(self) -> list[str]:
        """Return the facets that have columns."""
        return self._catalogue.paths()

    def spelled(self, path: str) -> str:
        """Return the first value of a facet, with its type in front."""
        single, several = self._catalogue.place(path)
        if single is None:
            return f"rest[{self.bind(path)}][1]"
        return single if several is None else f"coalesce({single}, {several}[1])"

    def text(self, path: str) -> str:
        """Return the first value of a facet as text."""
        return f"substr({self.spelled(path)}, 2)"

    def number(self, path: str) -> str:
        """Return the first value of a facet if it is a number."""
        value = self.spelled(path)
        return f"CASE WHEN starts_with({value}, 'n') THEN number_of({value}) END"

    def is_single(self, path: str) -> bool:
        """Say whether no event has several values of a facet."""
        single, several = self._catalogue.place(path)
        return single is not None and several is None

    def texts(self, path: str) -> str:
        """Return the list of the different values of a facet as text; one null where there is none."""
        single, several = self._catalogue.place(path)
        found = several or f"rest[{self.bind(path)}]"
        alone = "NULL" if single is None else f"substr({single}, 2)"
        texts = f"list_distinct(list_transform({found}, lambda x: substr(x, 2)))"
        return f"CASE WHEN len({found}) > 0 THEN {texts} ELSE [{alone}] END"
