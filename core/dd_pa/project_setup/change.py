from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from dd_pa.project_setup.source_file import lines_of

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

    encoding: str = "utf-8"
    """How it is written."""

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to add."""
        return self.before != self.after

    def diff(self, root: Path) -> str:
        """Return the lines to add, as `diff -u` shows them; the file is named as seen from `root`."""
        name = self.path.relative_to(root) if self.path.is_relative_to(root) else self.path
        lines = lines_of(self.before), lines_of(self.after)
        return "".join(difflib.unified_diff(*lines, fromfile=str(name), tofile=str(name)))

    def apply(self) -> None:
        """Write the file; its line ends and its encoding stay. Raises `OSError`."""
        self.path.write_bytes(self.after.encode(self.encoding))
