"""Patterns with * and ?, matched in one pass: no pattern can make it backtrack."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wildcard:
    """Pieces of fixed length with anything between them."""

    first: re.Pattern[str]
    """What the text starts with."""
    between: tuple[re.Pattern[str], ...]
    """What follows, in this order, somewhere."""
    last: re.Pattern[str] | None
    """What the text ends with; None when `first` is the whole pattern."""
    last_length: int
    """Characters that `last` matches."""

    @staticmethod
    def read(token: str) -> Wildcard | None:
        r"""Understand `*` (any characters), `?` (exactly one) and `\` (the next is literal); None without wildcards."""
        pieces, length, wild = [""], 0, False
        for symbol in re.findall(r"\\.|.", token, re.DOTALL):
            wild |= symbol in ("*", "?")
            if symbol == "*":
                pieces.append("")
                length = 0
                continue
            pieces[-1] += "." if symbol == "?" else re.escape(symbol[-1])
            length += 1
        if not wild:
            return None
        first, *rest = (re.compile(piece, re.DOTALL) for piece in pieces)
        return Wildcard(first, tuple(rest[:-1]), rest[-1] if rest else None, length)

    def matches(self, text: str) -> bool:
        """Say whether the whole text fits."""
        if self.last is None:
            return self.first.fullmatch(text) is not None
        found = self.first.match(text)
        for piece in self.between:
            if found is None:
                return False
            found = piece.search(text, found.end())
        tail = len(text) - self.last_length
        return found is not None and tail >= found.end() and self.last.match(text, tail) is not None


def unescaped(text: str) -> str:
    """Take the backslashes away that make special characters ordinary."""
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL) if "\\" in text else text
