"""The page's files, served from wherever the package is installed."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dd_pa.emulator.http.answers import refusal
from dd_pa.emulator.page.bundle import bundle

_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "ico": "image/x-icon",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "png": "image/png",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
    "woff2": "font/woff2",
}

VIEWS = ("/", "/sessions", "/sessions/{id:path}", "/explore", "/funnel", "/retention", "/paths", "/plan")
"""Addresses of the page: its own script tells the views apart."""
SCRIPT = "page.js"
"""All modules as one: no file of the folder."""


def routes() -> list[Route]:
    """Return the routes of the page and its files."""
    return [
        *(Route(path, lambda request: _serve("index.html", request), methods=["GET"]) for path in VIEWS),
        Route("/static/{path:path}", lambda request: _serve(request.path_params["path"], request), methods=["GET"]),
    ]


def _serve(path: str, request: Request) -> Response:
    content = _content(path)
    if content is None:
        return refusal(404, "there is nothing here")
    etag = f'"{sha256(content).hexdigest()[:32]}"'
    headers = {"etag": etag, "cache-control": "no-cache"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=_TYPES[path.rpartition(".")[2]])


def _content(path: str) -> bytes | None:
    """Return a file of the static folder; nothing outside it can be named, nor a kind that no page needs."""
    if path == SCRIPT:
        return _script()
    parts = path.split("/")
    if any(not part.strip(".") or "\\" in part or "\0" in part or ":" in part for part in parts):
        return None
    file = files("dd_pa.emulator").joinpath("static", *parts)
    return file.read_bytes() if path.rpartition(".")[2] in _TYPES and file.is_file() else None


@cache
def _script() -> bytes:
    return bundle("app.js", _module).encode()


def _module(path: str) -> str:
    return files("dd_pa.emulator").joinpath("static", *path.split("/")).read_text("utf-8")
