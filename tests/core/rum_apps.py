"""
The smallest WSGI and ASGI applications that tell which RUM session they read, and from which fields.

Run as a module it serves the WSGI one by a server without a command line: ``python -m tests.core.rum_apps SERVER FD``.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from werkzeug.serving import make_server

from dd_pa.capture.rum_session import RumSession, rum_session_from_environ, rum_session_from_scope

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def wsgi_app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with the session and the raw headers of a WSGI request."""
    body = _body(rum_session_from_environ(environ), environ.get("HTTP_COOKIE", ""), environ.get("HTTP_BAGGAGE", ""))
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the session and the raw headers of an ASGI request."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return

    fields = [[value.decode() for name, value in scope["headers"] if name == key] for key in (b"cookie", b"baggage")]
    body = _body(rum_session_from_scope(scope["headers"]), *("\n".join(values) for values in fields))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Any, send: Any) -> None:
    while (await receive())["type"] == "lifespan.startup":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})


def _body(session: RumSession | None, cookie: str, baggage: str) -> bytes:
    return json.dumps({"session": session and session.id, "cookie": cookie, "baggage": baggage}).encode()


def _serve_wsgiref(fd: int) -> None:
    with WSGIServer(("127.0.0.1", 0), WSGIRequestHandler, bind_and_activate=False) as server:
        server.socket.close()
        server.socket = socket.socket(fileno=fd)
        server.server_name, server.server_port = server.socket.getsockname()
        server.setup_environ()
        server.set_app(wsgi_app)
        server.serve_forever()


def _serve_werkzeug(fd: int) -> None:
    make_server("127.0.0.1", 0, wsgi_app, fd=fd).serve_forever()


if __name__ == "__main__":
    {"wsgiref": _serve_wsgiref, "werkzeug": _serve_werkzeug}[sys.argv[1]](int(sys.argv[2]))
