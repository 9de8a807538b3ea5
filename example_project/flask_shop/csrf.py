"""Each form and each `fetch` that changes something repeats a secret of the visitor's own session."""

from __future__ import annotations

import hmac
import secrets

from flask import Flask, abort, request, session

SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}


def init_app(app: Flask) -> None:
    app.before_request(check)
    app.add_template_global(token, "csrf_token")


def token() -> str:
    """Return the session's token, made on first use."""
    made: str = session.setdefault("csrf", secrets.token_urlsafe(24))
    return made


def check() -> None:
    """Refuse a request that changes something and does not know the token."""
    if request.method in SAFE:
        return
    given = request.headers.get("X-CSRF-Token") or request.form.get("csrf_token", "")
    if not hmac.compare_digest(given.encode(), session.get("csrf", "").encode()) or not given:
        abort(403, "This form has expired. Please go back, reload the page and send it again.")
