from __future__ import annotations

import logging
import threading

THREAD = "dd-pa-delivery"
"""Name of the delivery thread."""

_HEADER_LOGGERS = ("hpack.hpack", "hpack.table")


class _NotOurs(logging.Filter):
    """Stops what hpack says at DEBUG on the delivery thread: it spells out each header, the API key's too.

    What it logs for the application's own requests passes.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return threading.current_thread().name != THREAD or record.levelno > logging.DEBUG


_not_ours = _NotOurs()


def keep_headers_out_of_logs() -> None:
    """Make sure that no library logs the headers of our requests. Calling it again changes nothing."""
    for name in _HEADER_LOGGERS:
        logging.getLogger(name).addFilter(_not_ours)


class _Silence(logging.Filter):
    """Stops what a client library says on the delivery thread: what fails is counted, and said once per interval."""

    def filter(self, record: logging.LogRecord) -> bool:
        return threading.current_thread().name != THREAD


_silence = _Silence()


def keep_out_of_logs(library: str) -> None:
    """Make sure that none of the loggers that a library has now logs our connections. Calling it again is harmless."""
    for name in list(logging.root.manager.loggerDict):
        if name == library or name.startswith(f"{library}."):
            logging.getLogger(name).addFilter(_silence)
