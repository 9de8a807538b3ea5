"""The plans that are known: of files, and of applications that tell theirs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dd_pa.emulator.live.row import Row, Summary
from dd_pa.emulator.plan.document import DeclaredEvent, read_file
from dd_pa.emulator.plan.judge import Finding, differences
from dd_pa.emulator.plan.misspelling import Spellings
from dd_pa.emulator.search.facets import STRUCTURE

MOST_SENDERS = 100

UNDECLARED, OFF = "undeclared", "off"
_OWN = STRUCTURE | {"_dd", "dd", "view", "action", "date", "source", "ddtags"}
"""First segments of what is no attribute of a plan."""


class Verdict(NamedTuple):
    """What the plan says of an event that is not as it says."""

    kind: str
    """`off` for one that differs from its declaration, or is misspelt; `undeclared` for any other name."""
    findings: Sequence[Finding]

    @property
    def summary(self) -> list[str]:
        """Return kind and a line for the list."""
        first = self.findings[0]
        return [self.kind, f"{first.path} {first.problem}".strip() + (" …" if len(self.findings) > 1 else "")]

    def as_json(self) -> dict[str, object]:
        """Return it as the page reads it."""
        return {"kind": self.kind, "findings": [list(finding) for finding in self.findings]}


class Source(NamedTuple):
    """Who declares something."""

    service: str
    events: Mapping[str, DeclaredEvent]


class Plans:
    """Any thread may ask. Each sender has one plan, the last that it told; those of files stay."""

    def __init__(self, files: Iterable[Path] = ()) -> None:
        """Raises PlanFileError."""
        self._lock = threading.Lock()
        self._files = [Source("", {event.name: event for event in read_file(path)}) for path in files]
        self._told: OrderedDict[str, Source] = OrderedDict()
        self.revision = 0
        """Rises with each change, so that verdicts of before are not believed; 0 is no plan at all."""
        self._declared: Mapping[str, Sequence[DeclaredEvent]] = {}
        self._spellings = Spellings(())
        if self._files:
            self._changed()

    def tell(self, key: str, service: str, events: Sequence[DeclaredEvent]) -> None:
        """Take the plan of an application; `key` is the same whenever it starts."""
        source = Source(service, {event.name: event for event in events})
        with self._lock:
            if self._told.get(key) == source:
                return
            self._told[key] = source
            self._told.move_to_end(key)
            if len(self._told) > MOST_SENDERS:
                self._told.popitem(last=False)
            self._changed()

    def _changed(self) -> None:
        found: dict[str, list[DeclaredEvent]] = {}
        for source in (*self._files, *self._told.values()):
            for name, event in source.events.items():
                if event not in (known := found.setdefault(name, [])):
                    known.append(event)
        self._declared, self._spellings = found, Spellings(found)
        self.revision += 1

    @property
    def declared(self) -> Mapping[str, Sequence[DeclaredEvent]]:
        """The events by name; where applications disagree, each version."""
        return self._declared

    def nearest(self, name: str) -> str | None:
        """Return the declared name that this one seems to be meant for."""
        return self._spellings.meant(name)

    def summary(self, row: Row) -> Summary:
        """Return the line of the list."""
        verdict = self.verdict(row)
        return row.summary(verdict.summary if verdict else None)

    def verdict(self, row: Row) -> Verdict | None:
        """Return what is wrong with a row; None for one that is as declared, or that no plan is about."""
        if not self._declared or not row.accepted or row.kind != "server" or not isinstance(row.body, dict):
            return None
        return self.of(row.body)

    def of(self, body: Mapping[str, object]) -> Verdict | None:
        """Return what is wrong with the event of a server."""
        event = body.get("event")
        name = event.get("name") if isinstance(event, dict) else None
        if not self._declared or not isinstance(name, str):
            return None
        versions = self._declared.get(name)
        if versions is None:
            near = self.nearest(name)
            problem = f"{name} is not declared{f'; {near} is' if near else ''}"
            return Verdict(OFF if near else UNDECLARED, [Finding("", problem)])
        attributes = {key: value for key, value in body.items() if key.split(".", 1)[0] not in _OWN}
        found = min((differences(attributes, version.fields) for version in versions), key=len)
        return Verdict(OFF, found) if found else None
