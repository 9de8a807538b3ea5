"""Sign-ins, sign-outs, failed sign-ins and sign-ups as events. Imported only where `AUTH_EVENTS` is on."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

from django.apps import apps
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from dd_pa import Emitter, Identity, bound_identity
from dd_pa_django.emitter import slot
from dd_pa_django.identity import identity_of, key_of, served_request, serving
from dd_pa_django.impersonation import is_impersonated, is_switching
from dd_pa_django.tracking import track

_UID = "dd_pa_django.auth_events"


def connect() -> None:
    """Listen to Django's login and, where it is installed, to django-allauth. Calling it again does nothing."""
    user_logged_in.connect(_signed_in, dispatch_uid=_UID)
    user_logged_out.connect(_signed_out, dispatch_uid=_UID)
    user_login_failed.connect(_sign_in_failed, dispatch_uid=_UID)
    if apps.is_installed("allauth.account"):
        importlib.import_module("allauth.account.signals").user_signed_up.connect(_signed_up, dispatch_uid=_UID)


def _signed_in(*, request: Any, user: Any, **kwargs: Any) -> None:
    if not is_switching(_http_request(request)):  # staff who become somebody else: he has not come
        _track("user.signed_in", request, user)


def _signed_out(*, request: Any, user: Any, **kwargs: Any) -> None:
    found = _http_request(request)
    if found is None or not is_impersonated(found):
        _track("user.signed_out", request, user)


def _signed_up(*, request: Any, user: Any, **kwargs: Any) -> None:
    _track("user.signed_up", request, user)


def _sign_in_failed(*, request: Any = None, **kwargs: Any) -> None:
    """Link it by the session alone: whose password was tried has done nothing, and what was typed is a secret."""
    emitter = _active_emitter()
    if emitter is None:
        return
    request, bound = _http_request(request), bound_identity()
    with serving(request):
        try:
            session = None if bound is None else bound.session
            if session is None and request is not None:
                session = identity_of(request, emitter.settings).browser_session
        except Exception as error:
            emitter.integration.drop_invalid("user.sign_in_failed", error)
            return
        track("user.sign_in_failed", identity=Identity(session=session))


def _track(name: str, request: Any, user: Any) -> None:
    """Track an event of this user: at these moments the request may still have the one before, or none.

    Of one who has no key, as he was deleted before he left, nothing is known but the browser.
    """
    emitter = _active_emitter()
    if emitter is None or user is None:
        return
    with _serving_user(_http_request(request), user) as seen:
        try:
            has_own_id = seen is not None and emitter.settings.user_id is not None
            usr = identity_of(seen, emitter.settings).usr if seen is not None and has_own_id else key_of(user)
            gone = None if usr is not None else Identity(session=_own_session(seen, emitter))
        except Exception as error:
            emitter.integration.drop_invalid(name, error)
            return
        track(name, usr=usr, identity=gone)


def _own_session(request: HttpRequest | None, emitter: Emitter) -> str | None:
    return None if request is None else identity_of(request, emitter.settings).session


def _active_emitter() -> Emitter | None:
    emitter = slot.find()
    return emitter if emitter is not None and emitter.settings.enabled and emitter.settings.auth_events else None


def _http_request(request: Any) -> HttpRequest | None:
    """Return Django's request, also where the REST framework has wrapped it; the served one where none is given."""
    found: HttpRequest | None = getattr(request, "_request", request)
    return served_request() if found is None else found


@contextmanager
def _serving_user(request: HttpRequest | None, user: Any) -> Iterator[HttpRequest | None]:
    """Work for a request that has this user, so that `USER_ID` and `ACCOUNT_ID` see him; the request stays as it is."""
    if request is None:
        yield None
        return
    seen = request
    if getattr(request, "user", None) is not user:
        seen = copy(request)
        seen.__dict__.update(request.__dict__, user=user)
    with serving(seen):
        yield seen
