"""The rules of the settings that pages hand to the browser SDK. Each function returns the value to keep, or raises."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from dd_pa.errors import SettingsError
from dd_pa.settings import addresses

_CLIENT_TOKEN = re.compile(r"pub[0-9A-Za-z_-]{1,100}")
_VERSION = re.compile(r"v[0-9]{1,3}")
_INTEGRITY = re.compile(r"sha(?:256|384|512)-[0-9A-Za-z+/]+={0,2}(?: sha(?:256|384|512)-[0-9A-Za-z+/]+={0,2})*")
_PATH = re.compile(r"/(?!/)[\x21-\x5b\x5d-\x7e]*")
_OWN_SETTINGS = {"applicationId": "APPLICATION_ID", "clientToken": "CLIENT_TOKEN"}


def client_token(value: str | None) -> str | None:
    """Refuse what may be an API key: the token is shown to everybody. The message never quotes it."""
    if not value or _CLIENT_TOKEN.fullmatch(value):
        return value or None
    del value  # error reports show the local variables of every frame
    raise SettingsError(
        "CLIENT_TOKEN", "is not the browser's client token, which is public and begins with pub; is it an API key?"
    )


def sdk(version: str, url: str | None, integrity: str | None) -> None:
    """Check where pages load the browser SDK from."""
    if not _VERSION.fullmatch(version):
        raise SettingsError("RUM_SDK_VERSION", f"{version[:20]!r} is no major version such as v7")
    if url is not None:
        _sdk_url(url)
    if integrity is None:
        return
    if url is None:
        raise SettingsError("RUM_SDK_INTEGRITY", "needs a RUM_SDK_URL whose file stays the same; Datadog's own changes")
    if not _INTEGRITY.fullmatch(integrity):
        raise SettingsError("RUM_SDK_INTEGRITY", "is no hash such as sha384-… in base64")


def _sdk_url(url: str) -> None:
    if _PATH.fullmatch(url):
        return
    parts = addresses.split_url("RUM_SDK_URL", url)
    plain = parts.scheme == "http" and addresses.is_loopback(parts.hostname or "")
    if not parts.hostname or "@" in parts.netloc or "\\" in url or not (parts.scheme == "https" or plain):
        raise SettingsError(
            "RUM_SDK_URL", "must be a path of this site (/static/datadog-rum.js) or an https address without a user"
        )


def options(given: Mapping[str, Any] | None, sample_rate: float) -> dict[str, Any] | None:
    """Return a copy of RUM_OPTIONS that is known to be JSON, and to agree with the other settings."""
    if given is None:
        return None
    copied: dict[str, Any] = _as_json(given)
    for option, setting in _OWN_SETTINGS.items():
        if option in copied:
            raise SettingsError("RUM_OPTIONS", f"must not hold {option}: set {setting}")
    rate = copied.get("sessionSampleRate", sample_rate)
    if isinstance(rate, bool) or not isinstance(rate, int | float) or rate != sample_rate:
        raise SettingsError(
            "RUM_OPTIONS",
            "sessionSampleRate differs from RUM_SESSION_SAMPLE_RATE: set that alone, pages and events both go by it",
        )
    return copied


def _as_json(given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        copied = json.loads(json.dumps(dict(given), allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        raise SettingsError(
            "RUM_OPTIONS", "must be JSON; what is not, as a function, goes into window.DD_PA_RUM_OPTIONS of the page"
        ) from None
    return dict(copied)
