"""The two shapes of numbers that several endpoints answer: one value a group, or one value a group and time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec import field
from msgspec.structs import replace

from dd_pa.query.envelope import AnswerPart, Number
from dd_pa.query.rows import Row, Rows

VALUE = "value"
"""How the number is called in a row, where there is one."""


COUNTS = ("count", "cardinality")
"""Aggregations whose numbers are whole."""


def whole(value: Any) -> Any:
    """Return a number of things as an integer, whichever way it was written."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Unit(AnswerPart, frozen=True):
    """What a number is measured in."""

    family: str | None = None
    id: int | None = None
    name: str | None = None
    plural: str | None = None
    scale_factor: Number | None = None
    short_name: str | None = None


class ColumnMeta(AnswerPart, frozen=True):
    """What is said about a column."""

    unit: list[Unit | None] | None = None


class Column(AnswerPart, frozen=True):
    """One column of a scalar answer: the values of a facet, or the numbers."""

    name: str = ""
    type: str = "number"
    """`group` or `number`."""
    values: list[Any] = field(default_factory=list)
    meta: ColumnMeta | None = None


class Scalar(AnswerPart, frozen=True):
    """One number for each group; one for all when nothing is grouped by."""

    columns: list[Column] = field(default_factory=list)

    def counted(self) -> Scalar:
        """Return it with whole numbers as integers."""
        columns = [
            column if column.type == "group" else replace(column, values=[whole(value) for value in column.values])
            for column in self.columns
        ]
        return Scalar(columns=columns)

    @property
    def rows(self) -> Rows:
        """One row a group: the facets by name, and `value`. No row where nothing matched."""
        numbers = [column for column in self.columns if column.type != "group"]
        named = [(VALUE if [column] == numbers else column.name, _cells(column)) for column in self.columns]
        return Rows(dict(zip((name for name, _ in named), cells, strict=True)) for cells in _across(named))

    @property
    def value(self) -> Any:
        """The first number; None where nothing matched, also for a count."""
        rows = self.rows
        return rows[0].get(VALUE) if rows else None


def _cells(column: Column) -> list[Any]:
    return [_group(cell) for cell in column.values] if column.type == "group" else column.values


def _group(cell: Any) -> Any:
    """Return a group's value: Product Analytics documents a flat list, its sibling endpoints answer a list in each."""
    if not isinstance(cell, list):
        return cell
    return ", ".join(map(str, cell)) if len(cell) != 1 else cell[0]


def _across(named: list[tuple[str, list[Any]]]) -> list[tuple[Any, ...]]:
    """Return the rows of columns; a column that is too short is filled with None."""
    length = max((len(cells) for _, cells in named), default=0)
    return list(zip(*(cells + [None] * (length - len(cells)) for _, cells in named), strict=True))


class Serie(AnswerPart, frozen=True):
    """Whose values a row of the matrix is."""

    group_tags: list[Any] | None = None
    query_index: int = 0
    unit: list[Unit | None] | None = None


class Interval(AnswerPart, frozen=True):
    """Which buckets were made."""

    milliseconds: int | None = None
    start_time: int | None = None
    times: list[int] | None = None
    type: str | None = None


class Matrix(AnswerPart, frozen=True):
    """The attributes of a timeseries answer."""

    series: list[Serie] | None = None
    times: list[int] | None = None
    values: list[list[Number | None]] | None = None
    intervals: list[Interval] | None = None


class Timeseries(AnswerPart, frozen=True):
    """One number for each group and time. Times without an event may be left out."""

    facets: tuple[str, ...]
    """What was grouped by."""
    series: list[Serie]
    times: list[int]
    """Start of each bucket, epoch milliseconds."""
    values: list[list[Number | None]]
    """For each of the series, one number or None for each of the times."""
    buckets: range | None = None
    """Start of every bucket that was asked for, epoch milliseconds, where that is known."""

    @classmethod
    def of(cls, matrix: Matrix, facets: tuple[str, ...], buckets: range | None = None) -> Timeseries:
        """Read an answer to a query that was grouped by these facets."""
        series, times, values = matrix.series or [], matrix.times or [], matrix.values or []
        if buckets is not None and times:
            # Buckets begin where the answer has them begin.
            first = buckets.start - (buckets.start - times[0]) % buckets.step
            buckets = range(first, buckets.stop, buckets.step)
        return cls(facets=facets, series=series, times=times, values=values, buckets=buckets)

    def counted(self) -> Timeseries:
        """Return it with whole numbers as integers."""
        return replace(self, values=[[whole(value) for value in values] for values in self.values])

    def filled(self, nothing: Number | None = 0) -> Timeseries:
        """Return it with every bucket of the time that was asked for; `nothing` stands where there is no number.

        Raises ValueError where it is not known which buckets were asked for.
        """
        if self.buckets is None:
            raise ValueError("only an answer to a query by .every() knows which times were asked for")
        times = sorted({*self.buckets, *self.times})
        known = [dict(zip(self.times, values, strict=False)) for values in self.values]
        lines = [[nothing if (value := one.get(time)) is None else value for time in times] for one in known]
        return replace(self, times=times, values=lines)

    @property
    def rows(self) -> Rows:
        """One row a group and time with a number: `time` in UTC, the facets by name, and `value`."""
        return Rows(
            {"time": datetime.fromtimestamp(time / 1000, UTC), **group, VALUE: value}
            for group, values in self.lines()
            for time, value in zip(self.times, values, strict=False)
            if value is not None
        )

    def lines(self) -> list[tuple[Row, list[Number | None]]]:
        """Return the group and the values of each of the series."""
        groups = [dict(zip(self.facets, map(_group, serie.group_tags or []), strict=False)) for serie in self.series]
        return list(zip(groups, self.values, strict=False))
