"""Staff who act as somebody else: the request's user is that person, and the browser is not his.

So events name him, and neither the browser session nor the SDK's anonymous id. What is known of are django-hijack,
django-impersonate, django-loginas and django-su; a middleware of the project's says it by
`request.user.is_impersonate = True`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.apps import apps
from django.http import HttpRequest

from dd_pa_django.login import current_user, is_session_login
from dd_pa_django.unmarked_session import is_pending

_VIEWS = frozenset({"hijack.views", "loginas.views", "django_su.views"})
"""Where they do so. What happens there is neither a sign-in nor anything that this person does."""

_KEYS = {"hijack": "hijack_history", "django_su": "exit_users_pk"}
"""Apps that log the staff in as somebody else, and what of the session says so; django-loginas has a setting for it."""


def is_switching(request: HttpRequest | None) -> bool:
    """Tell whether this request is one by which staff become somebody else, or themselves again."""
    match = getattr(request, "resolver_match", None)
    return match is not None and getattr(match.func, "__module__", None) in _VIEWS


def needs_loading(request: HttpRequest) -> bool:
    """Tell whether `is_impersonated` would load the user: where he is lazy, and not simply Django's."""
    user = getattr(request, "user", None)
    return is_pending(user) and (_is_told_by_session() or not is_session_login(user))


def is_impersonated(request: HttpRequest) -> bool:
    """Tell whether somebody else is at the browser than the request's user. May query the database."""
    if is_switching(request):
        return True
    user = current_user(request)
    if user is None or (is_pending(user) and not needs_loading(request)):
        return False
    if getattr(user, "is_hijacked", False) is True or getattr(user, "is_impersonate", False) is True:
        return True
    return _is_told_by_session() and _is_told(getattr(request, "session", None))


def _is_told_by_session() -> bool:
    """Tell whether there are apps which log the staff in as somebody else, and perhaps say so in the session only."""
    return "loginas" in apps.app_configs or not _KEYS.keys().isdisjoint(apps.app_configs)


def _is_told(session: Any) -> bool:
    """Look at what is loaded of the session, as it is where a user is."""
    stored = getattr(session, "_session_cache", {})
    return any(stored.get(key) for key in _session_keys())


def _session_keys() -> list[str]:
    keys = [key for label, key in _KEYS.items() if label in apps.app_configs]
    if "loginas" in apps.app_configs:
        keys.append(import_module("loginas.settings").USER_SESSION_FLAG)
    return keys
