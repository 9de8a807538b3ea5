"""What results are grouped by: a facet of the events, or an attribute of the people behind them."""

from __future__ import annotations

from dataclasses import dataclass

from dd_pa.emulator.query.fields import Fields
from dd_pa.emulator.query.people import everybody
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
