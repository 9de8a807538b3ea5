"""The rules of single settings. Each function returns the value to keep or raises `SettingsError`."""

from __future__ import annotations

import importlib
import ipaddress
import logging
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from dd_pa.errors import SettingsError
from dd_pa.settings import sites
from dd_pa.settings.secret import Secret

Resolver = Callable[..., Any] | str | None
"""A callable, or the dotted path of one (`"shop.analytics.account_of"`), imported when the settings are made."""

logger = logging.getLogger("dd_pa")

_CLIENT_TOKEN = re.compile(r"pub[0-9a-f]{32}")
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?|[0-9a-f.]*:[0-9a-f:.]+")
_ORIGIN_FIX = "give an origin such as https://intake.example.com or http://127.0.0.1:8994"


def application_id(value: str) -> str:
    if not value:
        raise SettingsError(
            "APPLICATION_ID", "is missing; set the id of the RUM application with Product Analytics enabled"
        )
    if not _VISIBLE_ASCII.fullmatch(value) or len(value) > 200:
        raise SettingsError("APPLICATION_ID", f"{value[:200]!r} is not an id; copy it from the RUM application's page")
    return value


def masked(value: str | Secret | None) -> Secret | None:
    return Secret(value) if isinstance(value, str) else value


def job_secret(key: str, value: object) -> Secret | None:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "surrogateescape")
    if value is not None and not isinstance(value, (str, Secret)):
        raise SettingsError(key, f"must be a text or bytes, not {type(value).__name__}")
    secret = masked(value)
    if secret is not None and secret.reveal() == str(secret):
        raise SettingsError(key, "is the mask of a secret; settings that were copied or pickled lose it")
    return secret if secret and secret.reveal() else None


def job_secret_fallbacks(values: object) -> tuple[Secret, ...]:
    if isinstance(values, str):  # the environment knows no lists
        values = values.split(",")
    if not isinstance(values, (list, tuple)):
        raise SettingsError("JOB_SECRET_FALLBACKS", f"must be a list, not {type(values).__name__}")
    secrets = (job_secret("JOB_SECRET_FALLBACKS", value) for value in values)
    return tuple(secret for secret in secrets if secret)


def personal_data_key(treatment: str, key: object) -> Secret | None:
    if treatment not in ("omit", "hash", "send"):
        raise SettingsError("PERSONAL_DATA", "must be omit, hash or send")
    secret = job_secret("PERSONAL_DATA_KEY", key)
    if treatment == "hash" and secret is None:
        raise SettingsError("PERSONAL_DATA_KEY", "is missing: PERSONAL_DATA = 'hash' needs a secret of its own")
    return secret


def api_key(key: Secret | None) -> Secret:
    if key is None or not key.reveal():
        raise SettingsError("API_KEY", "is missing; set a Datadog API key (any text will do for the emulator)")
    return clean("API_KEY", key)


def clean(name: str, key: Secret) -> Secret:
    """Return a key without the newline at its end. Raises where it cannot be put into a header."""
    # The key in clear is never put into a local variable, because error reports show those.
    if key.reveal().endswith("\n"):
        logger.warning("%s ends in a newline, as a mounted secret often does; it is left out", name)
        key = Secret(key.reveal().removesuffix("\n").removesuffix("\r"))
    if not _VISIBLE_ASCII.fullmatch(key.reveal()):
        raise SettingsError(name, "has a blank, control or non-ASCII character; paste the key again")
    if _CLIENT_TOKEN.fullmatch(key.reveal()):
        raise SettingsError(name, "is the browser's client token (CLIENT_TOKEN); set a Datadog API key")
    if key.reveal() == str(key):
        raise SettingsError(name, "is the mask of a key, not the key; settings that were copied or pickled lose it")
    return key


def intake(url: str | None, site: str) -> str:
    if url is not None:
        return _origin("INTAKE_URL", url)
    try:
        return sites.intake_url(site)
    except ValueError as error:
        raise SettingsError("SITE", str(error)) from None


def api(url: str | None, intake_url: str | None, site: str) -> str:
    """Return the origin that answers queries.

    An intake on this machine is taken for the emulator, which answers too; a relay elsewhere need not.
    """
    if url is not None:
        return _origin("API_URL", url)
    if intake_url is not None:
        origin = _origin("INTAKE_URL", intake_url)
        if is_local(origin):
            return origin
    try:
        return sites.api_url(site)
    except ValueError as error:
        raise SettingsError("SITE", str(error)) from None


def _origin(key: str, url: str) -> str:
    parts = split_url(key, url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(key, f"is not an http(s) address; {_ORIGIN_FIX}")
    if "@" in parts.netloc or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise SettingsError(key, f"must have no user, path, query or fragment; {_ORIGIN_FIX}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    origin = host if parts.port is None else f"{host}:{parts.port}"
    if not _HOST.fullmatch(parts.hostname) or origin != parts.netloc.lower().removesuffix(":"):
        raise SettingsError(key, f"has no valid host name; {_ORIGIN_FIX}")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise SettingsError(key, "would send the API key in clear; use https, or http on this machine only")
    return f"{parts.scheme}://{origin}"


def is_local(origin: str) -> bool:
    """Tell whether an origin is on this machine."""
    return is_loopback(urlsplit(origin).hostname or "")


def split_url(key: str, url: str) -> SplitResult:
    """Return the parts of an address, its port checked; the error never quotes it, as it may hold a password."""
    if not _VISIBLE_ASCII.fullmatch(url):
        raise SettingsError(key, "has a blank, control or non-ASCII character")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise SettingsError(key, "is not an address; check its brackets and its port") from None
    return parts


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine, without asking a resolver."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxy(url: str | None) -> None:
    if url is None:
        return
    parts = split_url("PROXY", url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError("PROXY", "is not an http(s) address; give one such as http://proxy.example.com:3128")


def ca_file(path: str | None) -> None:
    if path is not None and not Path(path).is_file():
        raise SettingsError("CA_FILE", f"there is no file {path!r}; give the path of a PEM file")


def count(key: str, value: int) -> None:
    _require(key, value >= 1, "must be 1 or more")


def seconds(key: str, value: float) -> None:
    _require(key, math.isfinite(value) and value > 0, "must be more than 0 seconds")


def patience(key: str, value: float) -> None:
    _require(key, 0 <= value < math.inf, "must be 0 seconds or more")


def percentage(key: str, value: float) -> None:
    _require(key, 0 <= value <= 100, "must lie between 0 and 100")


def choice(key: str, value: str, choices: tuple[str, str]) -> None:
    _require(key, value in choices, f"must be {choices[0]} or {choices[1]}")


def spool(directory: object, delivery: str) -> str | None:
    """Return the spool's directory, absolute, or `"auto"`, or None."""
    choice("DELIVERY", delivery, ("thread", "process"))
    if directory is None or str(directory).lower() == "none":
        _require("DELIVERY", delivery == "thread", "cannot be process without a SPOOL_DIR")
        return None
    text = str(directory)
    _require("SPOOL_DIR", bool(text) and "\0" not in text, "must be a path, auto, or None")
    return text if text == "auto" else str(Path(text).expanduser().absolute())


def _require(key: str, holds: bool, problem: str) -> None:
    if not holds:
        raise SettingsError(key, problem)


def resolver(key: str, value: Any) -> Any:
    if value is None or callable(value):
        return value
    module, _, name = str(value).rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as error:  # importing runs the module
        raise SettingsError(key, f"cannot import {value!r} ({error}); give a callable or its dotted path") from error
    if not callable(found):
        raise SettingsError(key, f"{value!r} is not callable")
    return found


def switch(value: object) -> Any:
    """Return ENABLED: True, False, or a callable."""
    return value if isinstance(value, bool) else resolver("ENABLED", value)


_RATES_FIX = 'give a mapping of event names, or of starts such as "page.*", to percent from 0 to 100'


def sample_rates(rates: object) -> dict[str, float] | None:
    if rates is None:
        return None
    if not isinstance(rates, Mapping):
        raise SettingsError("SAMPLE_RATES", f"must be a mapping, not {type(rates).__name__}; {_RATES_FIX}")
    for name, rate in rates.items():
        if not isinstance(name, str) or not name or "*" in name[:-1]:
            raise SettingsError("SAMPLE_RATES", f"{name!r} is no name and no start of one; {_RATES_FIX}")
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 100:
            raise SettingsError("SAMPLE_RATES", f"{rate!r} of {name!r} is no percentage; {_RATES_FIX}")
    return {name: float(rate) for name, rate in rates.items()} or None


_NOT_NAMED = {
    "id": "is there anyway: it is what USER_ID or ACCOUNT_ID says",
    "anonymous_id": "is what ANONYMOUS_ID is for",
    "password": "must not leave this server",
}


def known_attributes(key: str, value: Any) -> Any:
    """Return a callable, or the names of fields as a tuple."""
    if value is None or callable(value) or isinstance(value, str):
        return resolver(key, value)
    if not isinstance(value, (list, tuple)):
        raise SettingsError(key, f"must be a callable, its dotted path or a tuple of names, not {type(value).__name__}")
    for name in value:
        if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
            raise SettingsError(key, f"{name!r} is no name of a field; name each that is to be sent")
        if name in _NOT_NAMED:
            raise SettingsError(key, f"{name!r} {_NOT_NAMED[name]}; leave it out")
    return tuple(value) or None
