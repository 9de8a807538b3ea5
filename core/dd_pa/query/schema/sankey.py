"""`sankey`: which way sessions go from one value of a facet to the next. In preview."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import field

from dd_pa.query.envelope import AnswerPart, Number, Request, RequestPart
from dd_pa.query.rows import Rows
from dd_pa.query.schema.analytics import AudienceFilters
from dd_pa.query.schema.journey import JoinKeys


class SankeyTime(RequestPart, frozen=True):
    """From when to when, epoch milliseconds."""

    from_: int = field(name="from")
    to: int


class SankeySearch(RequestPart, frozen=True):
    """Which events are looked at."""

    query: str | None = None
    join_keys: JoinKeys | None = None
    audience_filters: AudienceFilters | None = None


class SankeyDefinition(RequestPart, frozen=True):
    """The facets of the first and the last column, and how large the picture is."""

    source: str
    target: str
    number_of_steps: int | None = None
    """Columns between them: 1 to 10; 5 when left out."""
    entries_per_step: int | None = None
    """Most nodes in a column: 1 to 10; 5 when left out. The others become one."""


class AggregatedNode(AnswerPart, frozen=True):
    """A value that became part of another node."""

    id: str | None = None
    name: str | None = None
    type: str | None = None
    value: Number | None = None
    incoming_value: Number | None = None
    outgoing_value: Number | None = None


class SankeyNode(AnswerPart, frozen=True):
    """A value in a column."""

    id: str | None = None
    name: str | None = None
    column: int | None = None
    type: str | None = None
    """`regular`, `other` or `dropoff`."""
    value: Number | None = None
    incoming_value: Number | None = None
    outgoing_value: Number | None = None
    dropoff_value: Number | None = None
    aggregated_nodes: list[AggregatedNode] | None = None


class SankeyLink(AnswerPart, frozen=True):
    """How many went from one node to another."""

    id: str | None = None
    source: str | None = None
    target: str | None = None
    column: int | None = None
    """Of the source."""
    value: Number | None = None


class Sankey(AnswerPart, frozen=True):
    """Nodes in columns, and links between them."""

    nodes: list[SankeyNode] = field(default_factory=list)
    links: list[SankeyLink] = field(default_factory=list)

    @property
    def rows(self) -> Rows:
        """One row a link: `column`, `source` and `target` by name, and `value`."""
        names = {node.id: node.name for node in self.nodes}
        return Rows(
            {
                "column": link.column,
                "source": names.get(link.source, link.source),
                "target": names.get(link.target, link.target),
                "value": link.value,
            }
            for link in self.links
        )


class SankeyRequest(Request[Sankey], frozen=True):
    """Which way sessions go."""

    path: ClassVar[str] = "/api/v2/product-analytics/sankey"
    resource: ClassVar[str] = "sankey_request"
    told: ClassVar[Any] = Sankey

    time: SankeyTime
    search: SankeySearch
    definition: SankeyDefinition
