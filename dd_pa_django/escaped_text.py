from __future__ import annotations


def escape_invisible(text: str) -> str:
    """Return a text with letters that cannot be seen, or that turn others around, spelled out; newlines stay."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else letter.encode("unicode-escape").decode()
        for letter in text
    )
