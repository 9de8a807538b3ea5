"""SESSION_FALLBACK: a pseudonym of Django's session where the browser has no RUM session."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.signed_cookies import SessionStore as CookieStore
from django.http import HttpRequest

from dd_pa import pseudonymous_session


def fallback_session(request: HttpRequest) -> str | None:
    """Return a pseudonym of the request's session key, or None if it has none. Loads nothing and creates no session.

    A session that is kept in the cookie has no key: what Django calls so is the cookie's text, new at each change.
    """
    session: Any = getattr(request, "session", None)
    key = None if isinstance(session, CookieStore) else getattr(session, "session_key", None)
    return pseudonymous_session(settings.SECRET_KEY, key) if isinstance(key, str) and key else None
