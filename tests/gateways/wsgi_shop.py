"""A bare WSGI application for a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from dd_pa import Emitter, Settings
from dd_pa.wsgi import ProductAnalyticsMiddleware, request_identity

_settings = Settings.from_env()
emitter = Emitter(_settings, identity=request_identity(_settings))


def _app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Connection", "close")])
    if environ["PATH_INFO"] == "/stream":
        return _parts()
    emitter.track("file.sent")
    found: Iterable[bytes] = environ["wsgi.file_wrapper"](Path(__file__).with_name("test_wsgi.py").open("rb"))
    return found


def _parts() -> Iterator[bytes]:
    for number in range(3):
        emitter.track("part.sent")
        yield str(number).encode()


application = ProductAnalyticsMiddleware(_app)
