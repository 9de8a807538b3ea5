from __future__ import annotations


def printable(text: str) -> str:
    """Return a text without what could control a terminal: what was stored or answered is not to be trusted."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
