from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from dd_pa.query.schema.analytics import AudienceFilters
from dd_pa.query.schema.journey import JoinKeys
from dd_pa.query.schema.sankey import SankeyDefinition, SankeyRequest, SankeySearch, SankeyTime
from dd_pa.query.window import WindowedQuery


def sankey(source: str, target: str | None = None) -> SankeyBuilder:
    """Ask which way sessions go from the values of one facet to those of another (of the same, when left out)."""
    return SankeyBuilder(source=source, target=target or source)


@dataclass(frozen=True, kw_only=True)
class SankeyBuilder(WindowedQuery):
    """Which way sessions go."""

    source: str
    target: str
    steps: int | None = None
    entries: int | None = None
    query: str | None = None
    key: str | None = None
    audience: AudienceFilters | None = None

    def size(self, *, steps: int | None = None, entries: int | None = None) -> Self:
        """Say how many columns lie between the first and the last, and how many nodes are in each; 5 if unsaid."""
        return replace(self, steps=steps, entries=entries)

    def where(self, query: str) -> Self:
        """Only events that a search finds."""
        return replace(self, query=query)

    def joined_by(self, facet: str) -> Self:
        """Follow what has the same value of a facet, instead of sessions."""
        return replace(self, key=facet)

    def of(self, audience: AudienceFilters) -> Self:
        """Only an audience."""
        return replace(self, audience=audience)

    def request(self, now_ms: int) -> SankeyRequest:
        """Return the request as it is to be sent at this time."""
        start, end = self.span(now_ms)
        keys = JoinKeys(primary=self.key) if self.key else None
        return SankeyRequest(
            time=SankeyTime(from_=start, to=end),
            search=SankeySearch(query=self.query, join_keys=keys, audience_filters=self.audience),
            definition=SankeyDefinition(
                source=self.source, target=self.target, number_of_steps=self.steps, entries_per_step=self.entries
            ),
        )
