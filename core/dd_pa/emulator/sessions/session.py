"""One browser session: everything that carries its id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from dd_pa.emulator.live.label import SERVER, Json, member, path_of, text
from dd_pa.emulator.live.row import Row
from dd_pa.emulator.rum.batch import BrowserEvent
from dd_pa.emulator.sessions.agent import browser_of
from dd_pa.emulator.sessions.moment import Moment

KINDS = ("view", "action", "error", "resource", "long_task", "vital", SERVER)
MAX_EVENTS = 5_000
"""Events of one session; beyond them the oldest go, from the counts too."""

_SHOWN = ("id", "name", "email")


class Session:
    """Not safe to use from several threads: the store holds its lock."""

    def __init__(self, session_id: str) -> None:
        self.id = session_id
        self.change = 0
        """Number of its last change."""
        self.size = 0
        """Bytes of its events on the wire."""
        self.start = 0
        """When its first event happened, epoch milliseconds, also when that event is no longer kept."""
        self._next = 0
        self._moments: dict[object, Moment] = {}
        self.browser: Json | None = None
        """Name and version of the browser, and its operating system."""
        self.first_number = 0
        """Number in the warehouse of the first event it was made of."""
        self.is_whole = False
        """Whether events that are older than that have been looked for."""
        self._sdk: str | None = None
        self._service: str | None = None

    def take(self, event: Row | BrowserEvent) -> bool:
        """Add an event, or bring its view up to date.

        False for one that is known, which clients send again when they saw no answer.
        """
        return self._take_row(event) if isinstance(event, Row) else self._take_line(event)

    def _take_row(self, row: Row) -> bool:
        return self._add(("server", row.event_id or row.seq), Moment.of_server(self._next, row))

    def _take_line(self, event: BrowserEvent) -> bool:
        self._sdk = event.sdk_version or self._sdk
        self.browser = browser_of(event.user_agent) or self.browser
        self._service = text(event.body, "service") or self._service
        kind = "view" if event.kind == "view_update" else event.kind
        identity = text(event.body, kind, "id")
        key = (kind, identity) if identity else (kind, self._next)
        known = self._moments.get(key)
        if known is None:
            return self._add(key, Moment.of_browser(self._next, event))
        if known.view is None or not known.view.take(event.body):
            return False
        self.size -= known.size
        known.body = known.view.body
        known.size = event.size if event.kind == "view" else known.size + event.size
        self.size += known.size
        return True

    def _add(self, key: object, moment: Moment) -> bool:
        if key in self._moments:
            return False
        self.start = min(self.start, moment.at) if self._next else moment.at
        self._moments[key] = moment
        self._next += 1
        self.size += moment.size
        if len(self._moments) > MAX_EVENTS:
            self.drop_oldest()
        return True

    def precede(self, earlier: Session) -> None:
        """Put events of a former run before its own; a view that is in both is whole there, and here perhaps not."""
        first = earlier._next
        for moment in self._moments.values():
            moment.key += first
        own = {key: moment for key, moment in self._moments.items() if key not in earlier._moments}
        self._moments = moments = {**earlier._moments, **own}
        self._next += first
        self.start = min(self.start, earlier.start)
        self.size = sum(moment.size for moment in moments.values())
        self.browser = self.browser or earlier.browser
        while len(self._moments) > MAX_EVENTS:
            self.drop_oldest()

    def drop_oldest(self) -> None:
        """Forget the event that came first."""
        self.size -= self._moments.pop(next(iter(self._moments))).size

    def __len__(self) -> int:
        return len(self._moments)

    def moments(self) -> list[Moment]:
        """Return its events as they happened."""
        return sorted(self._moments.values(), key=lambda moment: (moment.at, moment.key))

    def head(self) -> Json:
        """Return what the list of sessions shows."""
        moments = self.moments()
        counts = Counter(moment.kind for moment in moments)
        views = [moment for moment in moments if moment.kind == "view"]
        return {
            "id": self.id,
            "change": self.change,
            "usr": _latest(moments, "usr"),
            "account": _latest(moments, "account"),
            "anonymous_id": next(_texts(moments, "usr", "anonymous_id"), None),
            "application_id": next(_texts(moments, "application", "id"), None),
            "start": self.start,
            "end": max(moment.end for moment in moments),
            "counts": {kind: counts[kind] for kind in KINDS},
            "last_page": _page(views[-1]) if views else None,
            "browser": self.browser,
            "sdk_version": self._sdk,
            "service": self._service,
        }


def _texts(moments: list[Moment], *path: str) -> Iterator[str]:
    """Yield what the events say, the latest first."""
    found = (text(moment.body, *path) for moment in reversed(moments))
    return (value for value in found if value is not None)


def _latest(moments: list[Moment], holder: str) -> dict[str, Any] | None:
    """Return who it was: the latest event that names an id, and the latest name and e-mail for that id.

    Server events carry the id alone, and after a sign-out there is none: neither takes the name away.
    """
    identity = next(_texts(moments, holder, "id"), None)
    if identity is None:
        return None
    same = [moment for moment in moments if text(moment.body, holder, "id") == identity]
    found = {name: next(_texts(same, holder, name), None) for name in _SHOWN}
    return {name: value for name, value in found.items() if value is not None}


def _page(view: Moment) -> Json:
    url = text(view.body, "view", "url")
    active = member(view.body, "view", "is_active")
    return {
        "name": text(view.body, "view", "name") or path_of(url),
        "url": url,
        "at": view.at,
        "is_active": active if isinstance(active, bool) else None,
    }
