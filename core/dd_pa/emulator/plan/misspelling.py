"""When a name that nobody has declared is taken for a misspelt one that somebody has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

EVENT_LIKENESS = 0.88
"""How alike a name must be to a declared event's: `order.paid` is none of `order.placed`."""
ATTRIBUTE_LIKENESS = 0.75
"""How alike an attribute must be to one that is declared and missing."""

_MOST_REMEMBERED = 5_000


def meant_attribute(name: str, free: Sequence[str]) -> str | None:
    """Return the one of these attributes, which an event lacks, that a name seems to be meant for."""
    return next(iter(get_close_matches(name, free, 1, ATTRIBUTE_LIKENESS)), None)


class Spellings:
    """The names of declared events."""

    def __init__(self, declared: Iterable[str]) -> None:
        self._declared = list(declared)
        self._bare = {_bare(name): name for name in self._declared}
        self._known: dict[str, str | None] = {}

    def meant(self, name: str) -> str | None:
        """Return the declared name that this one seems to be meant for."""
        known = self._known
        if name not in known:
            if len(known) >= _MOST_REMEMBERED:
                known.clear()
            alike = self._bare.get(_bare(name))
            known[name] = alike or next(iter(get_close_matches(name, self._declared, 1, EVENT_LIKENESS)), None)
        return known[name]


def _bare(name: str) -> str:
    """Return what is left of a name when its spelling is a matter of taste."""
    return "".join(character for character in name.casefold() if character.isalnum())
