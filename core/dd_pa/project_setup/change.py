from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

EMULATOR = "http://127.0.0.1:8994"
PRODUCTION = "production has DD_API_KEY, DD_PA_APPLICATION_ID and DD_SITE in its environment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a file is, and what it would be."""

    path: Path
    """The file."""

    before: str
    """Its text."""

    after: str
    """Its text with dd-pa in it; the same where nothing is missing."""

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to add."""
        return self.before != self.after

    def diff(self, root: Path) -> str:
        """Return the lines to add, as `diff -u` shows them; the file is named as seen from `root`."""
        name = self.path.relative_to(root) if self.path.is_relative_to(root) else self.path
        lines = self.before.splitlines(keepends=True), self.after.splitlines(keepends=True)
        return "".join(difflib.unified_diff(*lines, fromfile=str(name), tofile=str(name)))

    def apply(self) -> None:
        """Write the file. Raises `OSError`."""
        self.path.write_text(self.after, encoding="utf-8")


def with_lines(source: str, insertions: dict[int, list[str]]) -> str:
    """Return a text with lines put in after the lines of these numbers; 0 is the top."""
    lines = source.splitlines()
    result: list[str] = list(insertions.get(0, []))
    for number, line in enumerate(lines, 1):
        result += [line, *insertions.get(number, [])]
    return "\n".join(result) + "\n"
