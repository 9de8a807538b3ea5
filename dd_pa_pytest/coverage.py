"""`pytest --dd-pa-coverage`: which event classes no test has tracked an event of."""

from __future__ import annotations

from typing import Any

import pytest


class EventCoverage:
    """Hears of each event of a test run, in this process or in those of pytest-xdist."""

    def __init__(self, *, is_required: bool) -> None:
        self._is_required = is_required
        self._tracked: set[str] = set()
        self._declared: dict[str, str] = {}
        self._problem: str | None = None

    def pytest_sessionstart(self) -> None:
        """Begin to listen."""
        from dd_pa.process import testbed  # noqa: PLC0415 - heavy, and only for this option

        testbed.names = self._tracked

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Look up what is declared; a worker tells its controller."""
        from dd_pa import PlanError  # noqa: PLC0415
        from dd_pa.plan import registry  # noqa: PLC0415
        from dd_pa.plan.event_modules import import_modules  # noqa: PLC0415

        try:
            import_modules([], session.config.rootpath)
        except PlanError as error:
            self._problem = str(error)
        found = {str(schema.name): f"{schema.kind.__module__}.{schema.label}" for schema in registry.declared()}
        self._declared.update(found)
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["dd_pa_events"] = (sorted(self._tracked), self._declared)
        elif self._is_required and (self.missing or self._problem) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker of pytest-xdist has seen."""
        tracked, declared = (
            node.workeroutput.get("dd_pa_events", ((), {})) if hasattr(node, "workeroutput") else ((), {})
        )
        self._tracked.update(tracked)
        self._declared.update(declared)

    @property
    def missing(self) -> list[str]:
        """The names of declared events that no test has tracked."""
        return sorted(self._declared.keys() - self._tracked)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print what is missing."""
        terminalreporter.section("events of the tracking plan")
        if self._problem is not None:
            terminalreporter.line(f"the modules of pyproject.toml were not imported: {self._problem}")
        for name in self.missing:
            terminalreporter.line(f"never tracked: {name}  {self._declared[name]}")
        done = len(self._declared) - len(self.missing)
        terminalreporter.line(f"{done} of {len(self._declared)} declared events were tracked")
