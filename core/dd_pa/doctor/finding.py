from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

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
