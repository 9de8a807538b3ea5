"""One event as the table holds it: each facet's values, spelled so that no type is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from dd_pa.emulator.search.facets import Scalar, tags_of, text_of
from dd_pa.emulator.search.predicates import MAX_TEXT, SEPARATOR
from dd_pa.emulator.sessions.agent import browser_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What the warehouse is given."""

    ts: int
    """Its time in queries, epoch milliseconds."""
    body: dict[str, Any]
    """The event."""
    user_agent: str | None = None
    """The browser, for a browser's event."""
    view_id: str | None = None
    """The view that this is a version of, for a view."""


class TableRow(NamedTuple):
    """An event, flattened."""

    facets: dict[str, str | list[str]]
    """Spelled values by path; a list where there are several."""
    words: str
    """Every value, in lower case."""


def spelled(value: Scalar) -> str:
    """Return a value with its type in front: s for a string, n for a number, b for a boolean."""
    if isinstance(value, str):
        return "s" + value[:MAX_TEXT]
    return ("b" if isinstance(value, bool) else "n") + text_of(value)


def table_row_of(event: Event) -> TableRow:
    """Flatten an event by Datadog's rule, with the facets that Datadog derives from a browser's events."""
    facets: dict[str, str | list[str]] = {}
    words: list[str] = []
    _collect(event.body, "", facets, words)
    for path, values in tags_of(event.body).items():
        texts = [spelled(value) for value in values]
        facets.setdefault(path, texts if len(texts) > 1 else texts[0])
    if event.body.get("type") != "server":
        for path, value in _derived(event):
            facets.setdefault(path, spelled(value))
    return TableRow(facets, SEPARATOR.join(words).lower())


def _collect(holder: dict[str, Any], prefix: str, facets: dict[str, str | list[str]], words: list[str]) -> None:
    """Add what an object holds. It runs for every event that comes: plain loops, and no call for a plain string."""
    for key, value in holder.items():
        path = prefix + key
        if type(value) is str and len(value) <= MAX_TEXT and path not in facets:
            facets[path] = "s" + value
            words.append(value if SEPARATOR not in value else value.replace(SEPARATOR, " "))
        elif type(value) is dict:
            _collect(value, f"{path}.", facets, words)
        elif type(value) is list:
            _collect_elements(value, path, facets, words)
        elif value is not None:
            _add(path, value, facets, words)


def _collect_elements(array: list[Any], path: str, facets: dict[str, str | list[str]], words: list[str]) -> None:
    for value in array:
        if isinstance(value, dict):
            _collect(value, f"{path}.", facets, words)
        elif isinstance(value, list):
            _collect_elements(value, path, facets, words)
        elif value is not None:
            _add(path, value, facets, words)


def _add(path: str, value: Scalar, facets: dict[str, str | list[str]], words: list[str]) -> None:
    words.append(text_of(value)[:MAX_TEXT].replace(SEPARATOR, " "))
    text, known = spelled(value), facets.get(path)
    if known is None:
        facets[path] = text
    elif isinstance(known, list):
        known.append(text)
    else:
        facets[path] = [known, text]


def _derived(event: Event) -> list[tuple[str, str]]:
    """Return what Datadog's intake adds to an event of the browser SDK."""
    view, action = event.body.get("view"), event.body.get("action")
    found: list[tuple[str, object]] = []
    if isinstance(view, dict):
        path = _url_path(view.get("url"))
        found += [("view.url_path", path), ("view.name", path)]
    if isinstance(action, dict) and isinstance(action.get("target"), dict):
        found.append(("action.name", action["target"].get("name")))
    browser = browser_of(event.user_agent) or {}
    found += [("browser.name", browser.get("name")), ("browser.version_major", browser.get("version"))]
    found.append(("os.name", browser.get("os")))
    return [(path, value) for path, value in found if isinstance(value, str) and value]


def _url_path(url: object) -> str | None:
    try:
        return urlsplit(url).path if isinstance(url, str) else None
    except ValueError:
        return None
