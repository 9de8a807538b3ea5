"""One request of the query API, and which events it looks at."""

from __future__ import annotations

from dataclasses import dataclass

from dd_pa.emulator.query.audience_filter import Audience
from dd_pa.emulator.query.request_fields import Fields, facet_path
from dd_pa.emulator.query.statement import Statement


@dataclass(frozen=True, slots=True)
class Request:
    """One query."""

    attributes: Fields
    """`data.attributes` of the body."""
    statement: Statement
    """The table of events, for this request."""
    audience: Audience
    """The segments that filters may name."""
    now_ms: int
    """When it came."""
    window_ms: int | None = None
    """How long a journey may take from its first step on; only the emulator's own routes can say it."""


_SOURCES = ("product_analytics", "product_analytics_occurrence")
_OPERATORS = {"=": "=", ">=": ">=", "<=": "<=", ">": ">", "<": "<"}
_ENTITY = "@usr.id"


class Scope:
    """Makes the conditions of one request."""

    def __init__(self, statement: Statement, window: tuple[int, int], audience: Audience) -> None:
        self._statement = statement
        self._audience = audience
        self.window = window

    def events(self, query: Fields) -> str:
        """Return the condition of a base query within the time range: events, or occurrences."""
        source = query.choice("data_source", _SOURCES)
        search = query.member("search")
        condition = f"{self._statement.between(self.window)} AND {self._statement.search(search.search('query'))}"
        if source == "product_analytics" or "occurrences" not in search:
            return condition
        return f"{condition} AND {self._often(search.member('occurrences'), condition)}"

    def _often(self, fields: Fields, condition: str) -> str:
        """Return the condition that whoever did it did it so many times in the time range."""
        operator = _OPERATORS[fields.choice("operator", _OPERATORS)]
        times = fields.text("value")
        if not (times.isascii() and times.isdigit() and len(times) <= 15):
            raise fields.wrong("value", "must be a whole number as a string")
        entity = self._statement.text(facet_path(fields.optional("meta").text("entity", _ENTITY)))
        often = (
            f"SELECT {entity} AS k FROM events WHERE {condition} AND {entity} IS NOT NULL "
            f"GROUP BY k HAVING count(*) {operator} {self._statement.bind(int(times))}"
        )
        return f"{entity} IN ({often})"

    def audience(self, fields: Fields, name: str = "audience_filters") -> str:
        """Return the condition of audience filters, true where none are given."""
        return self._audience.condition(fields.member(name), self._statement) if name in fields else "true"

    def identified(self, fields: Fields) -> str:
        """Return the condition that leaves anonymous traffic out, if that is asked for."""
        if not fields.flag("exclude_anonymous_traffic"):
            return "true"
        return f"{self._statement.spelled('usr.id')} IS NOT NULL"
