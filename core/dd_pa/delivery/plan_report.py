"""Tells the emulator's page which events this application declares, so that it can say which differ."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable

from dd_pa.network.local_emulator import LocalEmulator
from dd_pa.plan import lock_file, registry
from dd_pa.process.shutdown import start_thread

PLAN = "/api/emulator/plan"
EVERY = 10.0
"""Seconds after which the plan is told again while events are delivered: the emulator may have been started anew."""


class PlanReport:
    """Posts the plan from a thread that ends when it has: with the first event, and now and then.

    A program whose parts know different classes, as a site and the deliverer of its outbox, names them by `part`.
    """

    def __init__(self, emulator: LocalEmulator, service: str | None, part: str = "") -> None:
        self._emulator = emulator
        self._service = service or ""
        self._part = part
        self._revision = 0
        self._next = 0.0
        self._runs = False

    def look(self) -> None:
        """Report the plan if it is time to, or if classes have come. Never blocks."""
        now = time.monotonic()
        if (now < self._next and registry.revision == self._revision) or self._runs or self._emulator.is_refused:
            return
        self._next, self._revision, self._runs = now + EVERY, registry.revision, True
        try:
            start_thread(threading.Thread(target=self._run, name="dd-pa-plan-report"))
        except RuntimeError:  # the interpreter ends
            self._runs = False

    def after(self, act: Callable[[], object]) -> Callable[[], None]:
        """Return a function that does the same, and looks."""

        def acted() -> None:
            act()
            self.look()

        return acted

    def _run(self) -> None:
        try:
            plan = registry.readable_plan()
            if plan.events:
                head = json.dumps({"key": _place(self._service, self._part), "service": self._service})[:-1]
                self._emulator.post(PLAN, b'%s,"plan":%s}' % (head.encode(), lock_file.encoded(plan)))
        finally:
            self._runs = False


def _place(service: str, part: str) -> str:
    """Return a text that is the same whenever this program starts, and says nothing of where it is."""
    try:
        directory = os.getcwd()
    except OSError:  # it was removed, as deployments do with old releases
        directory = ""
    program = "\0".join((service, part, directory, sys.argv[0] if sys.argv else ""))
    return hashlib.sha256(program.encode("utf-8", "replace")).hexdigest()[:32]
