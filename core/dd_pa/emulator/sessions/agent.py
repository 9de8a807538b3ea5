"""The browser behind a User-Agent header, as far as a timeline needs it."""

from __future__ import annotations

import re
from functools import lru_cache

# Browsers name their ancestors too: the first that is found is the one it is.
_BROWSERS = (
    ("Edge", re.compile(r"\bEdgA?/(\d{1,4})")),
    ("Opera", re.compile(r"\bOPR/(\d{1,4})")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/(\d{1,4})")),
    ("Chrome", re.compile(r"\b(?:HeadlessChrome|Chrome|CriOS)/(\d{1,4})")),
    ("Safari", re.compile(r"\bVersion/(\d{1,4}).*\bSafari/")),
)
_SYSTEMS = (
    ("Android", re.compile(r"\bAndroid\b")),
    ("iOS", re.compile(r"\b(?:iPhone|iPad|iPod)\b")),
    ("Windows", re.compile(r"\bWindows\b")),
    ("macOS", re.compile(r"\bMac OS X\b|\bMacintosh\b")),
    ("Chrome OS", re.compile(r"\bCrOS\b")),
    ("Linux", re.compile(r"\bLinux\b")),
)


@lru_cache(maxsize=256)
def _read(agent: str) -> tuple[str | None, str | None, str | None]:
    name, version = next(
        ((name, found[1]) for name, pattern in _BROWSERS if (found := pattern.search(agent))), (None, None)
    )
    return name, version, next((system for system, pattern in _SYSTEMS if pattern.search(agent)), None)


def browser_of(agent: str | None) -> dict[str, str | None] | None:
    """Return name and major version of browser, and operating system; None where neither is recognised."""
    name, version, system = _read(agent) if agent else (None, None, None)
    return {"name": name, "version": version, "os": system} if name or system else None
