"""The scripts of a page, for the tests of what `dd_pa_rum` renders."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any


class _Scripts(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[dict[str, Any]] = []
        self._open = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open = tag == "script"
        if self._open:
            self.found.append({**dict(attrs), "text": ""})

    def handle_data(self, data: str) -> None:
        if self._open:
            self.found[-1]["text"] += data

    def handle_endtag(self, tag: str) -> None:
        self._open = False


def scripts_of(html: str) -> list[dict[str, Any]]:
    """Return the script elements as a browser would read them: their attributes, and what they hold as `text`."""
    return _Scripts(html).found


def setup_in(html: str) -> dict[str, Any]:
    """Return what the page tells the browser SDK."""
    found: dict[str, Any] = json.loads(scripts_of(html)[0]["text"])
    return found
