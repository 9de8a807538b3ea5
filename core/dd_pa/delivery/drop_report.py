"""Tells the emulator's page which events were dropped before they were sent: in development nobody reads logs."""

from __future__ import annotations

import json
import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dd_pa.process import testbed
from dd_pa.settings.settings import Settings

if TYPE_CHECKING:
    import http.client

STATUS, DROPS = "/api/emulator/status", "/api/emulator/drops"
TIMEOUT = 1.0
"""Seconds that one of its requests may take; the end of the process waits for it."""

MOST_WAITING = 1_000
_LONGEST_NAME = 200
_GATHERING = 0.1

Report = Callable[[str, object], None]


def drop_report(settings: Settings) -> Report | None:
    """Return what reports a drop by its reason and name, never an attribute; None where there can be no emulator."""
    url = urlsplit(str(settings.intake_url))
    if not settings.enabled or not settings.is_local or url.scheme != "http" or url.hostname is None:
        return None
    return DropReport(url.hostname, url.port or 80)


class DropReport:
    """Gathers drops, and posts them from a thread that ends when it has. Any intake but the emulator is left alone."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._waiting: deque[tuple[str, str]] = deque(maxlen=MOST_WAITING)
        self._runs = False
        self._is_refused = False

    def __call__(self, reason: str, name: object) -> None:
        """Report one soon. Never blocks; a test run reports nothing."""
        if self._is_refused or testbed.is_on():
            return
        self._waiting.append((reason, str.__str__(name)[:_LONGEST_NAME] if isinstance(name, str) else ""))
        if not self._runs:
            self._runs = True
            try:
                threading.Thread(target=self._run, name="dd-pa-drop-report").start()
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
        import http.client  # noqa: PLC0415 - see delivery.warmup

        connection = http.client.HTTPConnection(*self._address, timeout=TIMEOUT)
        try:
            # Asked first, as it may be a relay that passes on whatever it gets.
            if self._is_refused or not _is_emulator(_answer(connection, "GET", STATUS)):
                self._is_refused = True
                return
            _answer(connection, "POST", DROPS, json.dumps({"drops": listed}))
        except (OSError, http.client.HTTPException):  # not started yet; the log has said it anyway
            return
        finally:
            connection.close()


HTTP_OK = 200


def _answer(connection: http.client.HTTPConnection, method: str, path: str, body: str | None = None) -> bytes:
    connection.request(method, path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read(65_536)
    return content if response.status == HTTP_OK else b""


def _is_emulator(answer: bytes) -> bool:
    try:
        status: Any = json.loads(answer)
    except ValueError:
        return False
    return isinstance(status, dict) and "boot" in status and "store" in status
