"""What was found, and how it is shown: for people, and as numbers for a monitor."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from dd_pa.store.inspection import SpoolContents


OLD = 15 * 60
"""Seconds after which an event that waits shows that nobody delivers it, or that the intake takes nothing."""

State = Literal["ok", "note", "warning", "failure"]

_MARKS: dict[State, str] = {"ok": "✓", "note": "·", "warning": "!", "failure": "✗"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    state: State
    """`failure`: events do not arrive. `warning`: they do, but not as well as they could."""

    subject: str
    """What was looked at: a setting's key, or a word such as `clock`."""

    text: str
    """What was found; no secret, and printable."""

    fix: str = ""
    """What to do, where there is something to do."""


def failed(findings: Iterable[Finding]) -> bool:
    """Tell whether one of the findings keeps events from arriving."""
    return any(finding.state == "failure" for finding in findings)


def report(finding: Finding) -> str:
    """Return a finding as one or two lines for a terminal."""
    line = f"{_MARKS[finding.state]} {finding.subject:<14} {_plain(finding.text)}"
    return f"{line}\n  {'':<14} → {_plain(finding.fix)}" if finding.fix else line


def _plain(text: str) -> str:
    """Return a text without what could control the terminal: some of it are an intake's own words."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def as_numbers(found: SpoolContents | None) -> dict[str, float | bool | None]:
    """Return the numbers by name; ages in seconds. None: there is no spool, and all that waits is in memory."""
    if found is None:
        return {"spool": False}
    return {
        "spool": True,
        "bytes": found.bytes,
        "segments": found.segments,
        "oldest_pending_age": found.age,
        "rejected": found.rejected,
        "deliver_runs": found.is_delivered,
    }


def as_json(found: SpoolContents | None) -> str:
    """Return `as_numbers` as one line of JSON."""
    return json.dumps(as_numbers(found))


def as_lines(found: SpoolContents | None) -> list[str]:
    """Return the same for a person."""
    if found is None:
        return ["There is no spool: what waits is in the memory of each process."]
    age = "nothing waits" if found.age is None else f"the oldest event waits since {found.age:,.0f} s"
    return [
        f"{found.bytes:,} bytes in {found.segments} segments; {age}",
        f"{found.rejected} rejected events (dd-pa spool list)",
        f"dd-pa deliver {'runs' if found.is_delivered else 'does not run'}",
    ]
