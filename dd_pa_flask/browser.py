"""The browser SDK in a page, as the Jinja global `dd_pa_rum()`, and what keeps a page with ids out of caches."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, Response, has_request_context, request, url_for
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from dd_pa import Identity, Settings, SettingsError
from dd_pa.gateways.rum_page import ELEMENT_ID, page_setup, sdk_url

logger = logging.getLogger("dd_pa")
_say_once = functools.cache(logger.error)

_SCRIPT_ENDPOINT = "dd_pa.static"


def init_app(app: Flask, settings: Settings, identity: Callable[[], Identity]) -> None:
    """Give an app's templates `dd_pa_rum()`, and serve its static script under `/dd_pa/` if there is a client token."""

    def dd_pa_rum() -> Markup:
        """Return the scripts that start Datadog's browser SDK with the ids of the current request."""
        return rum_scripts(app, settings, identity)

    app.jinja_env.globals["dd_pa_rum"] = dd_pa_rum
    if settings.enabled and settings.client_token is not None:
        app.register_blueprint(Blueprint("dd_pa", __name__, static_folder="static", static_url_path="/dd_pa"))


def rum_scripts(app: Flask, settings: Settings, identity: Callable[[], Identity]) -> Markup:
    """Return the scripts for a page, or nothing where analytics is off."""
    if not settings.enabled:
        return Markup("")
    if settings.client_token is None:
        return _lacks_token(settings)
    nonce, pinned = _attribute("nonce", _nonce()), settings.rum_sdk_integrity
    integrity = Markup(' integrity="{}" crossorigin="anonymous"').format(pinned) if pinned else ""
    return Markup(
        '<script id="{}" type="application/json">{}</script>\n'
        '<script src="{}" defer{}{}></script>\n<script src="{}" defer{}></script>'
    ).format(
        ELEMENT_ID,
        htmlsafe_json_dumps(page_setup(settings, identity()), dumps=app.json.dumps),
        sdk_url(settings),
        integrity,
        nonce,
        url_for(_SCRIPT_ENDPOINT, filename="rum.js"),
        nonce,
    )


def _lacks_token(settings: Settings) -> Markup:
    problem = "is missing: dd_pa_rum() needs the public client token of the RUM application"
    if settings.strict:
        raise SettingsError("DD_PA_CLIENT_TOKEN", problem)
    _say_once(f"DD_PA_CLIENT_TOKEN {problem}")
    return Markup("")


def _nonce() -> object:
    """Return the nonce that Flask-Talisman has for this request, if it has one."""
    return getattr(request, "csp_nonce", None) if has_request_context() else None


def _attribute(name: str, value: Any) -> Markup:
    return Markup(' {}="{}"').format(name, str(value)) if value else Markup("")


def keep_private(response: Response) -> None:
    """Keep an answer out of every shared cache, and out of the browser's."""
    control = response.cache_control
    control.public = False
    control.private = True
    control.no_store = True
    response.vary.add("Cookie")
