"""What a search means, as a tree: the grammar builds it, the live list and the engine each make a test of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Bound: TypeAlias = float | str
"""A number, which numbers are compared with; or a text, which the text of any value is compared with."""


@dataclass(frozen=True, slots=True)
class Everything:
    """Matches."""


@dataclass(frozen=True, slots=True)
class AllOf:
    """Matches when all parts do."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Matches when one part does."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class NoneOf:
    """Matches when the part does not; an absent facet matches too, as in Datadog."""

    part: Node


@dataclass(frozen=True, slots=True)
class OnFacet:
    """Asks something of the values of one facet; an array has several, and one that matches is enough."""

    path: str
    """Without the @, its keys joined with dots."""
    asked: Node


@dataclass(frozen=True, slots=True)
class Word:
    """An unquoted word anywhere in the event, perhaps with wildcards and backslashes, as it was written."""

    written: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that follow each other anywhere in the event, in any case."""

    text: str


@dataclass(frozen=True, slots=True)
class Anywhere:
    """Asks something of each value of the event, as lower-case text; one that matches is enough."""

    asked: Node


@dataclass(frozen=True, slots=True)
class Present:
    """There is a value."""


@dataclass(frozen=True, slots=True)
class Equal:
    """A value with this string form, or the same number."""

    text: str


@dataclass(frozen=True, slots=True)
class Like:
    """A value that fits a pattern with wildcards, as it was written."""

    written: str


@dataclass(frozen=True, slots=True)
class Compared:
    """A value on one side of the bound."""

    sign: str
    bound: Bound


@dataclass(frozen=True, slots=True)
class Within:
    """A value between the bounds, which are two numbers or two texts; None is no bound."""

    low: Bound | None
    high: Bound | None
    inclusive: bool


Node: TypeAlias = (
    Everything
    | AllOf
    | AnyOf
    | NoneOf
    | OnFacet
    | Word
    | Phrase
    | Anywhere
    | Present
    | Equal
    | Like
    | Compared
    | Within
)
