"""Datadog's search syntax as a test of one row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from dd_pa.emulator.search.grammar import SearchError, parse_search
from dd_pa.emulator.search.predicates import RowTest, row_test
from dd_pa.emulator.search.tree import Everything

__all__ = ["Search", "SearchError", "compile_search"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search that was understood."""

    text: str
    """As it was typed, without blanks around."""
    test: RowTest | None
    """Says whether a row matches, None when every row does. Safe to use from any thread."""


@lru_cache(maxsize=64)
def compile_search(text: str) -> Search:
    """Understand a search. Raises SearchError, never anything else."""
    node = parse_search(text)
    return Search(text=text.strip(), test=None if isinstance(node, Everything) else row_test(node))
