"""The emulator, where the intake is one on this machine: in development it is told what nobody would read in a log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dd_pa.process import forks, testbed
from dd_pa.settings.settings import Settings

if TYPE_CHECKING:
    import http.client

STATUS = "/api/emulator/status"
TIMEOUT = 1.0
"""Seconds that one of its requests may take; the end of the process waits for it."""

_OK = 200
_MOST = 16 * 1024 * 1024


def local_emulator(settings: Settings) -> LocalEmulator | None:
    """Return the emulator that may be the intake; None where there can be none."""
    url = urlsplit(str(settings.intake_url))
    if not settings.enabled or not settings.is_local or url.scheme != "http" or url.hostname is None:
        return None
    return LocalEmulator(url.hostname, url.port or 80)


class LocalEmulator:
    """Takes reports. Any intake but the emulator is left alone, and a test run reports nothing."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._is_another = False

    @property
    def is_refused(self) -> bool:
        """Whether nothing is to be reported."""
        return self._is_another or testbed.is_on()

    def ask(self, path: str) -> bytes:
        """Return what the emulator answers; nothing if it does not, or if another listens there. Blocks."""
        return self._exchange("GET", path, None)

    def post(self, path: str, body: bytes) -> bool:
        """Report something; blocks. Return False if nobody has taken it."""
        return bool(self._exchange("POST", path, body))

    def _exchange(self, method: str, path: str, body: bytes | None) -> bytes:
        with forks.loading:
            import http.client  # noqa: PLC0415 - see delivery.warmup

        connection = http.client.HTTPConnection(*self._address, timeout=TIMEOUT)
        try:
            # Asked first, as it may be a relay that passes on whatever it gets.
            if self._is_another or not _is_emulator(_answer(connection, "GET", STATUS)):
                self._is_another = True
                return b""
            return _answer(connection, method, path, body)
        except (OSError, http.client.HTTPException):  # not started yet; the log has said it anyway
            return b""
        finally:
            connection.close()


def _answer(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None) -> bytes:
    connection.request(method, path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read(_MOST)
    return content if response.status == _OK else b""


def _is_emulator(answer: bytes) -> bool:
    try:
        status: Any = json.loads(answer)
    except ValueError:
        return False
    return isinstance(status, dict) and "boot" in status and "store" in status
