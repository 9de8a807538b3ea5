from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any, cast

from django.contrib.auth import aget_user
from django.http import HttpRequest

from dd_pa_django.unnoticed import QuietSession, SeenUser, is_pending


def current_user(request: HttpRequest) -> Any:
    """Return the request's user as of now, perhaps still lazy; None where nothing authenticates.

    Django REST framework puts the user whom it authenticated in the view on this same request.
    """
    user = getattr(request, "user", None)
    if not is_pending(user):
        return user
    loaded = _loaded_user(request)
    return user if loaded is None else loaded


def _loaded_user(request: HttpRequest) -> Any:
    """Return the user whom `request.auser()` has loaded, for the view or for an event."""
    found = request.__dict__.get("_acached_user")
    if found is not None:
        return found
    seen = getattr(getattr(request, "auser", None), "__self__", None)
    return seen.user if isinstance(seen, SeenUser) and seen.is_current else None


async def load_user(request: HttpRequest) -> None:
    """Load the user, so that `current_user` returns him without the database; do nothing if he is there."""
    load: Any = getattr(request, "auser", None)
    if load is None or not is_pending(getattr(request, "user", None)) or _loaded_user(request) is not None:
        return
    if not _is_session_login(load) or request.session.accessed:
        await load()
        return
    user = await aget_user(cast("HttpRequest", SimpleNamespace(session=QuietSession(request.session))))
    request.auser = SeenUser(request.session, user, load).aget


def _is_session_login(load: object) -> bool:
    """Tell Django's own loader, which looks at nothing but the session, from one that a project put in its place."""
    return isinstance(load, partial) and load.func.__module__ == "django.contrib.auth.middleware"
