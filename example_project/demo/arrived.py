"""What the emulator has, read through its own API."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import httpx

from example_project.demo.expected import Happening

OURS = {"application", "event", "type", "usr", "account", "session", "service", "env", "version", "dd_pa"}
POLL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A request that the emulator did not take."""

    status: int
    name: str | None
    reason: str


class Inbox:
    """The emulator's list of events."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/api/emulator", timeout=60, trust_env=False)

    def wait(self, count: int, *, patience: float = 10.0, quiet: float = 0.5) -> None:
        """Block until `count` events have come and then no more came for `quiet` seconds, or until patience is over."""
        deadline = time.monotonic() + patience
        seen, since = -1, time.monotonic()
        while time.monotonic() < deadline:
            received = self._get("/status")["received"]
            if received != seen:
                seen, since = received, time.monotonic()
            if seen >= count and time.monotonic() - since >= quiet:
                return
            time.sleep(POLL)

    def read(self) -> tuple[list[Happening], list[Refusal]]:
        """Return what was taken and what was not, oldest first."""
        rows = sorted(self._get("/events", limit=5000)["events"])
        taken = [happening(self._get(f"/events/{row[0]}")["body"]) for row in rows if row[7] is None]
        return taken, [Refusal(status=row[6], name=row[2], reason=row[7]) for row in rows if row[7] is not None]

    def _get(self, path: str, **parameters: Any) -> Any:
        return self._client.get(path, params=parameters).raise_for_status().json()

    def close(self) -> None:
        self._client.close()


def happening(body: dict[str, Any]) -> Happening:
    return Happening(
        shop=body.get("service", "–"),
        name=body["event"]["name"],
        usr=body.get("usr", {}).get("id"),
        account=body.get("account", {}).get("id"),
        session=body.get("session", {}).get("id"),
        attributes={key: value for key, value in body.items() if key not in OURS},
    )
