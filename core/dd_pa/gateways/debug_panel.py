"""What a debug panel shows of the events of a request: plain texts and numbers, for a template that escapes them.

There is no key and no header in it. A page that shows it is for whoever develops the application.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from dd_pa.capture.attributes import RESERVED
from dd_pa.capture.event import shown_name
from dd_pa.delivery.ledger import DROP_MEANING
from dd_pa.observe.panel_log import EventState, PanelLog, Step
from dd_pa.settings.settings import Settings

MAX_TEXT = 4_000
"""Most characters that are shown of the attributes of one event."""

_STATES: dict[EventState, str] = {
    "built": "built, but not submitted yet",
    "waits": "waits for the commit",
    "waits_in_outbox": "in the outbox, waits for the commit",
    "sent": "sent at once",
    "sent_on_commit": "sent when the transaction committed",
    "stored": "stored in the outbox",
    "dropped": "dropped",
    "raised": "refused, raised in the code that tracked it",
}
_ROLLED_BACK = "vanished with a rollback"
_OFF = "not built: Product Analytics is off (ENABLED)"

_MEANING: Mapping[str, str] = DROP_MEANING | {
    "consent": "CONSENT, Sec-GPC or identify(consent=False) denied it, or CONSENT failed",
    "sampled": "SAMPLE_RATES keeps a part of the people's events of this name, and not this person's",
    "test_run": "this is a test run, and the intake is on another machine",
}

_GOOD = ("sent", "sent_on_commit", "stored")
_OPEN = ("built", "waits", "waits_in_outbox")


def report(panel_log: PanelLog, settings: Settings, expected: Iterable[str] = ()) -> dict[str, Any]:
    """Return what a panel shows, as JSON has it. `expected`: names of events that the end of the request may fire."""
    events = [_shown(step, panel_log, settings) for step in panel_log.steps]
    lost = sum(event["kind"] == "lost" for event in events)
    return {
        "events": events,
        "omitted": panel_log.omitted,
        "expected": list(expected),
        "emulator": _emulator(settings),
        "summary": _summary(len(events) + panel_log.omitted, lost),
    }


def _summary(count: int, lost: int) -> str:
    if not count:
        return "no event"
    counted = f"{count} event" if count == 1 else f"{count} events"
    return f"{counted}, {lost} not sent" if lost else counted


def _shown(step: Step, panel_log: PanelLog, settings: Settings) -> dict[str, Any]:
    body = {} if step.event is None else msgspec.json.decode(step.event.body)
    ids = _ids(step, body)
    state, kind = _state(step, settings)
    session = next((found["value"] for found in ids if found["name"] == "session.id"), None)
    return {
        "name": _name(step),
        "time": time.strftime("%H:%M:%S", time.localtime(step.at)),
        "offset": f"+{max(0.0, step.at - panel_log.started) * 1000:.1f} ms",
        "id": "" if step.event is None else step.event.id,
        "fate": state,
        "kind": kind,
        "reason": step.reason or "",
        "meaning": "" if step.reason is None or step.problems else _MEANING.get(step.reason, ""),
        "ids": ids,
        "problems": [problem[:MAX_TEXT] for problem in step.problems],
        "attributes": _attributes(body),
        "link": _emulator(settings, session) if session is not None and kind != "lost" else None,
    }


def _name(step: Step) -> str:
    if step.event is not None:
        return str(step.event.name)
    text = str.__str__(step.name)[:200] if isinstance(step.name, str) else shown_name(step.name)
    return text or "(no name)"


def _state(step: Step, settings: Settings) -> tuple[str, str]:
    """Return what became of a step, and whether that is good, open yet, or lost."""
    if step.state == "built" and step.event is None:
        return (_OFF, "lost") if not settings.enabled else ("not built", "lost")
    waited = step.state in ("waits", "waits_in_outbox")
    if waited and step.still_waits is not None and not step.still_waits():
        return _ROLLED_BACK, "lost"
    return _STATES[step.state], "good" if step.state in _GOOD else "open" if step.state in _OPEN else "lost"


def _ids(step: Step, body: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the ids that the event has, else those that were found for it; each with what it is from."""
    shown = []
    for name in ("usr", "account", "session"):
        found, origin = step.ids.get(name, ("", ""))
        sent = body[name]["id"] if name in body else "" if body else found
        if sent:
            shown.append({"name": f"{name}.id", "value": sent, "origin": origin if sent == found else "BEFORE_SEND"})
        elif found:
            shown.append({"name": f"{name}.id", "value": "", "origin": "taken away by BEFORE_SEND"})
    return shown


def _attributes(body: Mapping[str, Any]) -> str:
    own = {name: value for name, value in body.items() if name not in RESERVED}
    if not own:
        return ""
    text = json.dumps(own, indent=2, ensure_ascii=False)
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}\n… {len(text) - MAX_TEXT:,} more characters"


def _emulator(settings: Settings, session: str | None = None) -> str | None:
    """Return the address of the emulator's page, of one session's events if that is given; None if there is none."""
    origin = str(settings.intake_url)
    if not settings.enabled or not settings.is_local or urlsplit(origin).scheme not in ("http", "https"):
        return None
    if session is None:
        return f"{origin}/"
    escaped = session.replace("\\", "\\\\").replace('"', '\\"')
    text = session if session.replace("-", "").isalnum() and session.isascii() else f'"{escaped}"'
    return f"{origin}/?q={quote(f'@session.id:{text}', safe='@:')}"
