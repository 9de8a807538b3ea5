"""httpx, or its successor httpx2 where that is installed; whoever needs either imports it from here."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx as httpx  # noqa: PLC0414 - says that others may import it from here
else:
    httpx = importlib.import_module("httpx2" if find_spec("httpx2") else "httpx")


def library_of(transport: object) -> Any:
    """Return the library that a given transport belongs to: it takes only requests of its own library."""
    for name in ("httpx", "httpx2"):
        library = sys.modules.get(name)
        if library is not None and isinstance(transport, library.BaseTransport | library.AsyncBaseTransport):
            return library
    return httpx
