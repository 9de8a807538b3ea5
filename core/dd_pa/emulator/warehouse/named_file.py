"""A JSON object in the data folder: what was given a name and stays beyond a restart."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class NamedFile:
    """One file, replaced as a whole. Without a path nothing is read or written."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def read(self) -> dict[str, Any]:
        """Return what it holds; nothing where it was not written by us: what is kept next replaces it."""
        if self._path is None or not self._path.is_file():
            return {}
        try:
            return dict(json.loads(self._path.read_text(encoding="utf-8")))
        except (ValueError, TypeError, RecursionError):
            return {}

    def replace(self, content: Mapping[str, Any]) -> None:
        """Write all of it, or nothing. Raises OSError."""
        if self._path is None:
            return
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps(content), encoding="utf-8")
        os.replace(beside, self._path)
