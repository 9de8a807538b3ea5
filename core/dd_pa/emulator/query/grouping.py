"""What answers are grouped by, and the order of the groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from dd_pa.emulator.query.aggregate import Compute
from dd_pa.emulator.query.people import everybody
from dd_pa.emulator.query.request_fields import Fields
from dd_pa.emulator.query.statement import Statement
from dd_pa.emulator.search.facets import text_of

SOURCES = {"product_analytics_audience_filters.users": "usr", "product_analytics_audience_filters.accounts": "account"}


@dataclass(frozen=True, slots=True)
class Dimension:
    """One facet of `group_by`."""

    facet: str
    """As it was asked for; columns of the answer are named after it."""
    path: str
    kind: str | None
    """usr or account where it is an attribute of those, None for a facet of the events."""

    @staticmethod
    def read(fields: Fields) -> Dimension:
        """Read `facet` and `source`."""
        kind = SOURCES[fields.choice("source", SOURCES)] if "source" in fields else None
        return Dimension(fields.text("facet"), fields.facet("facet"), kind)

    def is_single(self, statement: Statement) -> bool:
        """Say whether no event has several values of it."""
        return self.kind is not None or statement.is_single(self.path)

    def text(self, statement: Statement) -> str:
        """Return the first value as text, null where there is none."""
        if self.kind is None:
            return statement.text(self.path)
        known = {
            person.id: person.body[self.path] for person in everybody(statement, self.kind) if self.path in person.body
        }
        ids = statement.bind.texts(list(known))
        values = statement.bind.texts([text_of(value) for value in known.values()])
        # The names must not be those of columns of the events.
        people = f"(SELECT unnest({ids}) AS person, unnest({values}) AS told)"
        return f"(SELECT told FROM {people} WHERE person = {statement.text(f'{self.kind}.id')})"

    def texts(self, statement: Statement) -> str:
        """Return the list of the different values as text; one null where there is none."""
        return statement.texts(self.path)


Row = TypeVar("Row")


def ordered(rows: list[Row], value: Callable[[Row], object], *, descending: bool) -> list[Row]:
    """Return rows by a value, numbers before text; those without it come last, either way."""
    given = [row for row in rows if value(row) is not None]
    given.sort(key=lambda row: _key(value(row)), reverse=descending)
    return given + [row for row in rows if value(row) is None]


def _key(value: object) -> tuple[int, float, str]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (0, float(value), "")
    return (1, 0.0, str(value))


DEFAULT_LIMIT = 10
MAX_LIMIT = 10_000
MAX_FACETS = 4
MISSING = "N/A"
"""What the group of events without the facet is called."""


@dataclass(frozen=True, slots=True)
class Group:
    """One facet to group by."""

    dimension: Dimension
    limit: int
    exclude_missing: bool
    sort: Compute
    descending: bool


def read_groups(fields: Fields, compute: Compute) -> list[Group]:
    """Read `group_by`."""
    wanted = fields.members("group_by")
    if len(wanted) > MAX_FACETS:
        raise fields.wrong("group_by", f"must have at most {MAX_FACETS} facets")
    return [_read(group, compute) for group in wanted]


def _read(fields: Fields, compute: Compute) -> Group:
    sort = fields.optional("sort")
    return Group(
        dimension=Dimension.read(fields),
        limit=fields.integer("limit", 1, MAX_LIMIT, DEFAULT_LIMIT),
        exclude_missing=fields.flag("should_exclude_missing"),
        sort=Compute.read(sort, compute),
        descending=sort.choice("order", ("asc", "desc"), "desc") == "desc",
    )


class GroupedQuery:
    """The tables `base` (events with columns m, g1 …) and `top` (the chosen groups with their ranks)."""

    def __init__(self, statement: Statement, groups: list[Group], compute: Compute, condition: str) -> None:
        self._statement = statement
        self._groups = groups
        self._compute = compute
        self.names = [f"g{n}" for n in range(1, len(groups) + 1)]
        self.ranks = [f"r{n}" for n in range(1, len(groups) + 1)]
        self._tables = [*self._events(condition), *self._levels()]

    @property
    def tables(self) -> str:
        """Return the WITH clause."""
        return f"WITH {', '.join(self._tables)}"

    @property
    def chosen(self) -> str:
        """Return what to select from: the events of the chosen groups."""
        return f"base JOIN top USING ({', '.join(self.names)})" if self.names else "base"

    @property
    def value(self) -> str:
        """Return the aggregate asked for."""
        return self._compute.over(self._statement, "m")

    def _events(self, condition: str) -> list[str]:
        statement = self._statement
        columns = [f"ts, {self._compute.column(statement)} AS m"]
        spread = []
        for number, group in enumerate(self._groups, 1):
            columns.append(f"{group.sort.column(statement)} AS s{number}")
            if group.dimension.is_single(statement):
                columns.append(f"{group.dimension.text(statement)} AS g{number}")
            else:
                columns.append(f"{group.dimension.texts(statement)} AS h{number}")
                spread.append(number)
        tables = [f"e0 AS (SELECT {', '.join(columns)} FROM events WHERE {condition})"]
        for step, number in enumerate(spread):
            wider = f"* EXCLUDE (h{number}), unnest(h{number}) AS g{number}"
            tables.append(f"e{step + 1} AS (SELECT {wider} FROM e{step})")
        tables.append(self._base(f"e{len(spread)}"))
        return tables

    def _base(self, source: str) -> str:
        kept = [f"g{n} IS NOT NULL" for n, group in enumerate(self._groups, 1) if group.exclude_missing]
        missing = self._statement.bind(MISSING) if self._groups else ""
        named = ", ".join(f"coalesce({name}, {missing}) AS {name}" for name in self.names)
        columns = f"* REPLACE ({named})" if named else "*"
        where = f" WHERE {' AND '.join(kept)}" if kept else ""
        return f"base AS (SELECT {columns} FROM {source}{where})"

    def _levels(self) -> list[str]:
        """Return one table per facet: the groups that are within the limits so far."""
        tables = []
        for number, group in enumerate(self._groups, 1):
            names, before = self.names[:number], self.names[: number - 1]
            source = f"base JOIN t{number - 1} USING ({', '.join(before)})" if before else "base"
            former = [f"any_value({rank}) AS {rank}" for rank in self.ranks[: number - 1]]
            partition = f"PARTITION BY {', '.join(before)} " if before else ""
            value = group.sort.over(self._statement, f"s{number}")
            order = f"{value} {'DESC' if group.descending else 'ASC'} NULLS LAST, g{number}"
            rank = f"row_number() OVER ({partition}ORDER BY {order}) AS r{number}"
            name = "top" if number == len(self._groups) else f"t{number}"
            tables.append(
                f"{name} AS (SELECT {', '.join([*names, *former, rank])} FROM {source} "
                f"GROUP BY {', '.join(names)} QUALIFY r{number} <= {group.limit:d})"
            )
        return tables
