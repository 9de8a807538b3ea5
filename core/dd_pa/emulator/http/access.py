"""The token that a page needs which others on the network can reach."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import Scope

from dd_pa.emulator.http.answers import refusal
from dd_pa.emulator.http.guard import AGENTS, API, QUERIES

COOKIE = "dd_pa_emulator"
BY_COOKIE = "dd_pa.by_cookie"
"""In the scope of a request that showed the cookie, which only the page's browser has."""

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Token needed - Product Analytics local</title>
<link rel="stylesheet" href="/static/app.css">
<main>
<h1>This emulator asks for a token</h1>
<p>Open the address that it printed when it was started.
It ends in <code>?token=…</code>, and is needed once per browser.</p>
</main>
"""


class Access:
    """Lets in who knows the token: once in the address, then by cookie; programs by `Authorization: Bearer`.

    Queries may carry it as their application key too.
    """

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        # The cookie is not the token: other services on this host, on other ports, get to see it.
        self._pass = hmac.new(self._token, b"dd-pa emulator page", hashlib.sha256).hexdigest()

    def answer(self, scope: Scope) -> Response | None:
        """Return what to answer instead of the page, None for who may see it."""
        headers = Headers(scope=scope)
        path: str = scope["path"]
        if path == "/" and self._shown(scope):
            return self._admit(scope)
        if self._holds_pass(headers):
            scope[BY_COOKIE] = True
            return None
        if path.startswith("/static/") or self._bears_token(headers):
            return None
        if path.startswith(QUERIES):
            return None if self._is_key(headers) else JSONResponse({"errors": ["Forbidden"]}, 403)
        if path.startswith(API) or path == AGENTS:
            return refusal(401, "a token is needed: Authorization: Bearer …, or open the page with ?token=… once")
        return Response(_PAGE, 401, media_type="text/html")

    def _admit(self, scope: Scope) -> Response:
        """Send on to the same page, so that the token stays neither in the address bar nor in the history."""
        rest = [(name, value) for name, value in _query(scope) if name != "token"]
        response = RedirectResponse(f"/?{urlencode(rest)}" if rest else "/", 303)
        response.set_cookie(COOKIE, self._pass, httponly=True, samesite="strict")
        return response

    def _holds_pass(self, headers: Headers) -> bool:
        wanted = f"{COOKIE}={self._pass}".encode()
        cookies = headers.get("cookie", "").split(";")
        return any(hmac.compare_digest(cookie.strip().encode(), wanted) for cookie in cookies)

    def _is_key(self, headers: Headers) -> bool:
        """Say whether the application key is the token: Datadog's own clients know no better place for it."""
        return hmac.compare_digest(headers.get("dd-application-key", "").encode(), self._token)

    def _bears_token(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self._token)

    def _shown(self, scope: Scope) -> bool:
        tokens = [value for name, value in _query(scope) if name == "token"]
        return len(tokens) == 1 and hmac.compare_digest(tokens[0].encode("utf-8", "replace"), self._token)


def _query(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
