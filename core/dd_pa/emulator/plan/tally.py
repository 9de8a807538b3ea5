"""Which events of the list are off the plan, by name."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from dd_pa.emulator.live.history import History
from dd_pa.emulator.live.row import Row
from dd_pa.emulator.plan.plans import OFF, Plans

_MOST_PROBLEMS = 5
_ROWS_AT_ONCE = 5_000


@dataclass(slots=True)
class OffPlan:
    """The events of one name in the list that are not as declared."""

    count: int = 0
    problems: dict[str, int] = field(default_factory=dict)
    """How often each was found, by its words."""
    last: int = 0
    """Number of the youngest in the list."""


class OffPlanTally:
    """Looks at each row of the list once, when somebody asks; anew when the plan has changed."""

    def __init__(self, history: History, plans: Plans) -> None:
        self._history, self._plans = history, plans
        self._lock = threading.Lock()
        self._seen = 0
        self._revision = 0
        self._found: dict[str, OffPlan] = {}

    def found(self) -> Mapping[str, OffPlan]:
        """Return what was found, by name. May take long: use it on a worker thread."""
        with self._lock:
            revision = self._plans.revision
            if revision != self._revision or self._history.seq < self._seen:
                self._seen, self._revision, self._found = 0, revision, {}
            while rows := self._history.after(self._seen, _ROWS_AT_ONCE):
                self._seen = rows[-1].seq
                for row in rows:
                    self._look_at(row)
            return {name: OffPlan(off.count, dict(off.problems), off.last) for name, off in self._found.items()}

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._seen, self._found = 0, {}

    def _look_at(self, row: Row) -> None:
        verdict = self._plans.verdict(row)
        if verdict is None or verdict.kind != OFF or row.name is None:
            return
        off = self._found.setdefault(row.name, OffPlan())
        off.count, off.last = off.count + 1, row.seq
        for path, problem in verdict.findings:
            said = f"{path} {problem}".strip()
            if said in off.problems or len(off.problems) < _MOST_PROBLEMS:
                off.problems[said] = off.problems.get(said, 0) + 1
