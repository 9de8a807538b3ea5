"""A Python file as it is, byte for byte: its encoding, its line ends, and where Python sees its lines end."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
"""A line of Python's. `str.splitlines` sees more ends than Python does: form feeds, and some that a text may hold."""


class SourceFile:
    """A file that lines may be added to. Raises `OSError`, and `SyntaxError` for what is no Python."""

    def __init__(self, path: Path) -> None:
        self.path = path
        content = path.read_bytes()
        self.encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        try:
            self.text = content.decode(self.encoding)
        except UnicodeDecodeError:
            raise SyntaxError(f"{path.name} is not in {self.encoding}, as it should be") from None

    @cached_property
    def tree(self) -> ast.Module:
        """What it says."""
        try:
            return ast.parse(self.text)
        except ValueError as error:  # a byte that no source has
            raise SyntaxError(f"{self.path.name}: {error}") from None

    @cached_property
    def lines(self) -> list[str]:
        """Its lines, each with its end."""
        return lines_of(self.text)

    def with_lines(self, insertions: Mapping[int, Sequence[str]]) -> str:
        """Return its text with lines put in after those of these numbers, 0 being the top; the others stay as they are.

        Raises `SyntaxError` if that is no Python any more.
        """
        end = "\r\n" if self.lines and self.lines[0].endswith("\r\n") else "\n"
        result = [line + end for line in insertions.get(0, ())]
        for number, line in enumerate(self.lines, 1):
            added = insertions.get(number, ())
            is_open = bool(added) and not line.endswith(("\r", "\n"))
            result += [line + end if is_open else line, *(each + end for each in added)]
        text = "".join(result)
        ast.parse(text)
        return text


def lines_of(text: str) -> list[str]:
    """Return the lines of a source as Python counts them, each with its end."""
    return _LINE.findall(text)
