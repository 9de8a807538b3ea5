"""The rules of single settings. Each function returns the value to keep or raises `SettingsError`."""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dd_pa.errors import SettingsError

Resolver = Callable[..., Any] | str | None
"""A callable, or the dotted path of one (`"shop.analytics.account_of"`), imported when the settings are made."""

VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")


def application_id(value: str) -> str:
    if not value:
        raise SettingsError(
            "APPLICATION_ID", "is missing; set the id of the RUM application with Product Analytics enabled"
        )
    if not VISIBLE_ASCII.fullmatch(value) or len(value) > 200:
        raise SettingsError("APPLICATION_ID", f"{value[:200]!r} is not an id; copy it from the RUM application's page")
    return value


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
