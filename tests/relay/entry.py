from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Entry(NamedTuple):
    """A message as somebody else's client sees it."""

    headers: Mapping[str, str]
    body: bytes
