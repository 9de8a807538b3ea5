"""The browser SDK's set-up in a page, and what keeps a page with ids out of caches."""

from __future__ import annotations

import functools
import logging
from typing import Any

from django.core.exceptions import ImproperlyConfigured, SynchronousOnlyOperation
from django.http import HttpRequest, HttpResponseBase
from django.templatetags.static import static
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.html import format_html, json_script
from django.utils.safestring import SafeString

from dd_pa import Emitter, EventError, Identity
from dd_pa.gateways.rum_page import ELEMENT_ID, is_personal, page_setup, sdk_url, unknown_visitor
from dd_pa_django.emitter import slot
from dd_pa_django.identity import identity_of, served_request

logger = logging.getLogger("dd_pa")
_say_once = functools.cache(logger.error)

_MARK = "_dd_pa_shows_ids"  # in the request's own attributes: True when its page has ids, False when it must not have


def rum_scripts(*, nonce: object = None) -> SafeString | str:
    """Return the scripts of `{% dd_pa_rum %}`, or nothing where analytics is off; for other template engines too.

    Names the user and account that an event tracked now would name, and then the answer becomes private; nobody where
    staff act as that user. Outside of a request that our middleware serves, or once its headers are on their way,
    nobody is named. `nonce` is the page's CSP nonce; None takes the request's, if a CSP middleware has put one there.
    """
    emitter = slot.find()
    if emitter is None or not emitter.settings.enabled:
        return ""
    if emitter.settings.client_token is None:
        return _lacks_token(emitter)
    request = served_request()
    identity = _identity(emitter, request)
    if request is not None and is_personal(emitter.settings, identity):
        _mark_as_personal(request)
        if identity_of(request, emitter.settings).is_impersonated:  # the SDK's session is that of the staff
            identity = Identity(consent=identity.consent)
    return _scripts(emitter, page_setup(emitter.settings, identity), _nonce_of(request) if nonce is None else nonce)


def _lacks_token(emitter: Emitter) -> str:
    problem = "dd_pa_rum needs DD_PA['CLIENT_TOKEN'], the public client token of the RUM application"
    if emitter.settings.strict:
        raise ImproperlyConfigured(problem)
    _say_once(problem)
    return ""


def _identity(emitter: Emitter, request: HttpRequest | None) -> Identity:
    if request is None or request.__dict__.get(_MARK) is False:
        return unknown_visitor(emitter.settings)
    try:
        return emitter.integration.identity(traits=True)
    except EventError as error:
        if isinstance(error.__cause__, SynchronousOnlyOperation):
            fix = "is not loaded yet, which async code cannot do here: await request.auser() before it renders the page"
            raise EventError(error.path, fix) from error.__cause__
        raise


def _mark_as_personal(request: HttpRequest) -> None:
    if request.__dict__.setdefault(_MARK, True) is False:
        return
    # Django's cache middleware may stand below ours, and would store the page before we make it private.
    request._cache_update_cache = False  # type: ignore[attr-defined]


def _nonce_of(request: HttpRequest | None) -> object:
    """Return the nonce that django-csp, or Django 6, has for this request; a lazy one, made when it is rendered."""
    nonce = getattr(request, "csp_nonce", None)
    return getattr(request, "_csp_nonce", None) if nonce is None else nonce


def _scripts(emitter: Emitter, setup: dict[str, Any], nonce: object) -> SafeString:
    settings = emitter.settings
    text = "" if nonce is None else str(nonce)
    attribute = format_html(' nonce="{}"', text) if text else ""
    pinned = settings.rum_sdk_integrity
    integrity = "" if pinned is None else format_html(' integrity="{}" crossorigin="anonymous"', pinned)
    return format_html(
        '{}\n<script src="{}" defer{}{}></script>\n<script src="{}" defer{}></script>',
        json_script(setup, ELEMENT_ID),
        sdk_url(settings),
        integrity,
        attribute,
        static("dd_pa/rum.js"),
        attribute,
    )


def shows_ids(request: HttpRequest) -> bool:
    """Tell whether a page of this request was given ids."""
    return request.__dict__.get(_MARK) is True


def close_to_ids(request: HttpRequest) -> None:
    """Let no id into what is rendered for this request from now on: its headers cannot be changed any more."""
    request.__dict__[_MARK] = False


def keep_private(response: HttpResponseBase) -> None:
    """Keep an answer out of every shared cache, and out of the browser's."""
    patch_cache_control(response, private=True, no_store=True)
    patch_vary_headers(response, ["Cookie"])
