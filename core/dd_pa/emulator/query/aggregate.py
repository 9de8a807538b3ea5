"""Aggregations over a metric, as SQL over prepared columns, and their values in an answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from dd_pa.emulator.query.request_fields import Fields, aggregation_of
from dd_pa.emulator.query.statement import Statement


@dataclass(frozen=True, slots=True)
class Compute:
    """What is computed of each group of events."""

    aggregation: str
    metric: str | None
    """Path of a facet; None only for count."""

    @staticmethod
    def read(fields: Fields, default: Compute | None = None, counted: str | None = None) -> Compute:
        """Read `aggregation` and `metric`; what is not given is as in the default. `counted` is what count counts."""
        if default is not None and "aggregation" not in fields and "metric" not in fields:
            return default
        aggregation = aggregation_of(fields, default.aggregation if default else None)
        if aggregation == "count":
            if "metric" in fields and fields.facet("metric") != counted:
                raise fields.wrong("metric", "has no meaning for count, which counts events: name another aggregation")
            return Compute(aggregation, None)
        known = default.metric if default and default.metric else None
        return Compute(aggregation, fields.facet("metric", known))

    @property
    def is_count(self) -> bool:
        """Say whether it is a whole number that is 0 where nothing is."""
        return self.aggregation in ("count", "cardinality")

    def column(self, statement: Statement) -> str:
        """Return the expression over events that `over` aggregates."""
        if self.metric is None:
            return "NULL"
        if self.aggregation != "cardinality":
            return statement.number(self.metric)
        return statement.text(self.metric) if statement.is_single(self.metric) else statement.texts(self.metric)

    def over(self, statement: Statement, column: str) -> str:
        """Return the aggregate of a column that holds what `column` said."""
        match self.aggregation:
            case "count":
                return "count(*)"
            case "cardinality":
                if self.metric is None or statement.is_single(self.metric):
                    return f"count(DISTINCT {column})"
                return f"coalesce(len(list_distinct(flatten(list({column})))), 0)"
            case "median":
                return f"quantile_cont({column}, 0.5)"
            case "avg" | "min" | "max" | "sum":
                return f"{self.aggregation}({column})"
        return f"quantile_cont({column}, {int(self.aggregation[2:]) / 100})"


def finite(value: Any) -> Any:
    """Return an answer with null for what is beyond every number, as sums may be: JSON has no infinity."""
    if isinstance(value, dict):
        return {name: finite(member) for name, member in value.items()}
    if isinstance(value, list):
        return [finite(element) for element in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
