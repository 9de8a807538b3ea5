"""SESSION_FALLBACK: a pseudonym of Django's session where the browser has no RUM session."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.signed_cookies import SessionStore as CookieStore
from django.core.checks import CheckMessage, Warning
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from dd_pa import pseudonymous_session
from dd_pa_django.configuration import load_settings


def fallback_session(request: HttpRequest) -> str | None:
    """Return a pseudonym of the request's session key, or None if it has none. Loads nothing and creates no session.

    A session that is kept in the cookie has no key: what Django calls so is the cookie's text, new at each change.
    """
    session: Any = getattr(request, "session", None)
    key = None if isinstance(session, CookieStore) else getattr(session, "session_key", None)
    return pseudonymous_session(settings.SECRET_KEY, key) if isinstance(key, str) and key else None


def check_session_fallback(**kwargs: Any) -> list[CheckMessage]:
    """Warn of a fallback that can never find anything."""
    try:
        wanted = load_settings(defaults={"APPLICATION_ID": "missing", "API_KEY": "missing"}).session_fallback
    except ImproperlyConfigured:
        return []  # reported by `check_settings`
    if not wanted or not issubclass(import_module(settings.SESSION_ENGINE).SessionStore, CookieStore):
        return []
    return [
        Warning(
            "DD_PA['SESSION_FALLBACK']: sessions in signed cookies have no key on the server, so there is no fallback",
            hint="Use another SESSION_ENGINE, or turn SESSION_FALLBACK off.",
            id="dd_pa.W030",
        )
    ]
