from __future__ import annotations

from typing import Any, Literal

import httpx

from dd_pa.errors import ProductAnalyticsError
from dd_pa.query import QueryClient, events, funnel
from dd_pa.settings.settings import Settings

MOST_ROWS = 50
"""Rows in one answer; a larger limit is cut to it."""

MOST_STEPS = 10
_LONGEST = 300
"""Characters of a description where several events are listed."""
_NO_PLAN = "no application has told a plan: declare events as classes and run it, or dd-pa emulator --plan FILE"
_TIMEOUT = 10.0
_IDS = ("usr", "account", "session")


class NoEmulatorError(ProductAnalyticsError):
    """Nobody answers, or not as the emulator does; the message says what to do."""


class EmulatorTools:
    """Asks a running emulator. Each method is a tool: its docstring is what an agent reads."""

    def __init__(self, url: str, token: str | None = None, api_key: str | None = None) -> None:
        """`api_key` is for queries, where the emulator takes certain keys only."""
        # Nothing is sent: with ENABLED off, neither a key nor an application id is needed.
        self._settings = Settings(enabled=False, intake_url=url, api_url=url, bearer_token=token, api_key=api_key)
        self._url = url
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def search_events(self, query: str = "", limit: int = 20, show_values: bool = False) -> dict[str, Any]:
        """List the newest events, with whom each is linked to and why a rejected one was rejected.

        `query` is a search as in Datadog: `@event.name:checkout.* -@plan:free`. Ids and the values of attributes are
        left out, as they may be personal, unless `show_values`.
        """
        found = self._get("/api/emulator/events", q=query, limit=max(1, min(limit, MOST_ROWS)))
        return {"total": found["total"], "events": [_event(row, show_values) for row in found["events"]]}

    def get_dropped_events(self) -> dict[str, Any]:
        """Tell which events were dropped before they were sent, by name and reason, and what to do about it.

        Look here first when an event that should be there is not: `unlinked` is the usual reason.
        """
        found = self._get("/api/emulator/drops")
        return {"total": found["total"], "drops": found["drops"][:MOST_ROWS]}

    def list_event_names(self, last_hours: float = 24) -> list[dict[str, Any]]:
        """List the names of the events that arrived, with how many of each."""
        return self._rows(events().count().by("@event.name", limit=MOST_ROWS).last(hours=last_hours))

    def aggregate_events(self, name: str, by: str | None = None, last_hours: float = 24) -> list[dict[str, Any]]:
        """Count the events of a name, by a facet if one is given: `@plan`, `@order.currency`, `@usr.id`."""
        counted = events(name).count()
        return self._rows((counted if by is None else counted.by(by, limit=MOST_ROWS)).last(hours=last_hours))

    def get_funnel(self, steps: list[str], entity: Literal["user", "account", "session"] = "user") -> dict[str, Any]:
        """Tell how many users, accounts or sessions did these events one after another, in the last day."""
        if not 2 <= len(steps) <= MOST_STEPS:
            raise ValueError(f"a funnel has 2 to {MOST_STEPS} steps")
        asked = funnel(*steps)
        asked = {"user": asked.by_user, "account": asked.by_account, "session": asked.by_session}[entity]()
        with QueryClient(self._settings) as client:
            answer = client.run(asked.last(days=1))
        return {"conversion_rate": answer.end_to_end_conversion_rate, "steps": list(answer.rows)}

    def get_tracking_plan(self, name: str = "", show_values: bool = False) -> dict[str, Any]:
        """Tell which events the program declares (description, owner, when last seen), and which it fires undeclared.

        `name` may be the beginning of names; one event's whole name brings its fields too, and what differed from them.
        The words of a difference may repeat personal values, so they are left out unless `show_values`.
        """
        found = self._get("/api/emulator/plan")
        events = [event for event in found["events"] if event["name"].startswith(name)]
        exact = [event for event in events if event["name"] == name]
        if exact:
            return {"event": _declared(exact[0]) | _fields(exact[0], show_values)}
        undeclared = [event for event in found["undeclared"] if event["name"].startswith(name)]
        return {
            "total": len(events),
            "events": [_declared(event) for event in events[:MOST_ROWS]],
            "undeclared_total": len(undeclared),
            "undeclared": [_undeclared(event) for event in undeclared[:MOST_ROWS]],
            **({} if found["revision"] else {"why_empty": _NO_PLAN}),
        }

    def _rows(self, query: Any) -> list[dict[str, Any]]:
        with QueryClient(self._settings) as client:
            return list(client.run(query).rows)[:MOST_ROWS]

    def _get(self, path: str, **query: str | int) -> Any:
        try:
            response = httpx.get(
                f"{self._url}{path}", params=query, headers=self._headers, timeout=_TIMEOUT, trust_env=False
            )
        except httpx.HTTPError as error:
            raise NoEmulatorError(f"no emulator answers at {self._url}: start it with `dd-pa emulator`") from error
        if response.status_code == httpx.codes.BAD_REQUEST:
            raise ValueError(response.json()["errors"][0]["detail"])
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise NoEmulatorError(f"the emulator at {self._url} asks for its token: give --token to dd-pa mcp")
        if not response.is_success:
            raise NoEmulatorError(f"{self._url} answers {response.status_code}: is that the emulator?")
        return response.json()


def _event(row: list[Any], show_values: bool) -> dict[str, Any]:
    """Return a row of the emulator's list by names."""
    number, received, name, usr, account, session, status, reason, attributes = row[:9]
    linked = dict(zip(_IDS, (usr, account, session), strict=True))
    known = {key: value for key, value in linked.items() if value is not None}
    return {
        "number": number,
        "received_ms": received,
        "name": name,
        "linked_to": known if show_values else list(known),
        "attributes": dict(attributes) if show_values else [key for key, _ in attributes],
        "status": status,
        **({} if reason is None else {"rejected_because": reason}),
    }


def _declared(event: dict[str, Any]) -> dict[str, Any]:
    told = {key: event[key] for key in ("owner", "deprecated", "services", "off_plan") if event[key]}
    return {"name": event["name"], "description": event["description"][:_LONGEST], **told, **_sighted(event)}


def _fields(event: dict[str, Any], show_values: bool) -> dict[str, Any]:
    told = {"description": event["description"], "class": event["source"], "fields": event["fields"][:MOST_ROWS]}
    return told | ({"problems": event["problems"]} if show_values else {})


def _undeclared(event: dict[str, Any]) -> dict[str, Any]:
    return {"name": event["name"], "perhaps_meant": event["nearest"], **_sighted(event)}


def _sighted(event: dict[str, Any]) -> dict[str, Any]:
    return {"count": event["count"], "last_seen_ms": event["last_ms"]}
