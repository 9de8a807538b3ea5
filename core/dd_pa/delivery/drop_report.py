"""Tells the emulator's page which events were dropped before they were sent: in development nobody reads logs."""

from __future__ import annotations

import json
import threading
from collections import Counter, deque

from dd_pa.network.local_emulator import LocalEmulator
from dd_pa.process.shutdown import start_thread

DROPS = "/api/emulator/drops"
MOST_WAITING = 1_000
_LONGEST_NAME = 200
_GATHERING = 0.1


class DropReport:
    """Gathers drops by reason and name, never an attribute, and posts them from a thread that ends when it has."""

    def __init__(self, emulator: LocalEmulator) -> None:
        self._emulator = emulator
        self._waiting: deque[tuple[str, str]] = deque(maxlen=MOST_WAITING)
        self._runs = False

    def __call__(self, reason: str, name: object) -> None:
        """Report one soon. Never blocks."""
        if self._emulator.is_refused:
            return
        self._waiting.append((reason, str.__str__(name)[:_LONGEST_NAME] if isinstance(name, str) else ""))
        if not self._runs:
            self._runs = True
            try:
                start_thread(threading.Thread(target=self._run, name="dd-pa-drop-report"))
            except RuntimeError:  # the interpreter ends
                self._runs = False

    def _run(self) -> None:
        gathering = threading.Event()
        while self._waiting:
            gathering.wait(_GATHERING)
            self._post(Counter(self._taken()))
        self._runs = False

    def _taken(self) -> list[tuple[str, str]]:
        return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def _post(self, drops: Counter[tuple[str, str]]) -> None:
        listed = [{"reason": reason, "name": name, "count": count} for (reason, name), count in drops.items()]
        self._emulator.post(DROPS, json.dumps({"drops": listed}).encode())
