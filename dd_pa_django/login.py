from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any, cast

from django.contrib.auth import aget_user
from django.http import HttpRequest

from dd_pa_django.unmarked_session import QuietSession, SeenUser, is_pending


def current_user(request: HttpRequest) -> Any:
    """Return the request's user as of now, perhaps still lazy; None where nothing authenticates.

    Django REST framework puts the user whom it authenticated in the view on this same request. A middleware that knows
    tokens or impersonation may have put a lazy user of its own there, whoever is logged in by the session.
    """
    user = getattr(request, "user", None)
    if not is_pending(user) or not is_session_login(user):
        return user
    loaded = _loaded_user(request)
    return user if loaded is None else loaded


def is_at_hand(request: HttpRequest) -> bool:
    """Tell whether `current_user` returns somebody who needs no loading."""
    return not is_pending(current_user(request))


def is_session_login(user: Any) -> bool:
    """Tell the lazy user of Django's own middleware from one that somebody else has put in its place."""
    load = user.__dict__["_setupfunc"]
    while isinstance(getattr(load, "__self__", None), SeenUser):
        load = load.__self__.load
    return getattr(load, "__module__", None) == "django.contrib.auth.middleware"


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
    if load is None or is_at_hand(request):
        return
    if not is_session_login(request.user):  # lazy and sync: it is loaded where the event is built
        return
    if not _is_session_loader(load) or request.session.accessed:
        await load()
        return
    user = await aget_user(cast("HttpRequest", SimpleNamespace(session=QuietSession(request.session))))
    request.auser = SeenUser(request.session, user, load).aget


def _is_session_loader(load: object) -> bool:
    """Tell Django's own loader, which looks at nothing but the session, from one that a project put in its place."""
    return isinstance(load, partial) and load.func.__module__ == "django.contrib.auth.middleware"
