from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any


@dataclass(slots=True)
class Form:
    action: str
    fields: dict[str, str] = field(default_factory=dict)


class Page(HTMLParser):
    """What a customer needs of a page: its forms with their hidden tokens, and what it tells the browser SDK."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._rum: str | None = None
        self._in_rum = False
        self.feed(html)

    @property
    def rum(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self._rum or "{}")
        return data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", "")))
        elif tag == "input" and self.forms and given.get("name"):
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        self._in_rum = tag == "script" and given.get("id") == "dd-pa-rum"

    def handle_data(self, data: str) -> None:
        if self._in_rum:
            self._rum = (self._rum or "") + data

    def handle_endtag(self, tag: str) -> None:
        self._in_rum = False
