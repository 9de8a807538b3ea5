"""Read settings from a framework's mapping and from the environment, and convert texts to each setting's type."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import PurePath
from typing import Any, TypeVar, get_type_hints

import msgspec

from dd_pa.errors import SettingsError
from dd_pa.process import testbed
from dd_pa.settings.checks import Resolver
from dd_pa.settings.secrets import Secret

SettingsT = TypeVar("SettingsT")

SHARED_VARIABLES = {
    "API_KEY": "DD_API_KEY",
    "SITE": "DD_SITE",
    "SERVICE": "DD_SERVICE",
    "ENV": "DD_ENV",
    "VERSION": "DD_VERSION",
    "APP_KEY": "DD_APP_KEY",
    "BEARER_TOKEN": "DD_BEARER_TOKEN",
}
"""Settings that Datadog's other libraries read too, by the name they read."""

_NONE_SAYS_SOMETHING = ("SPOOL_DIR",)
"""Settings that have a default, but can be None; None for another one leaves it to the environment."""

_JSON_TEXTS = ("RUM_OPTIONS", "SAMPLE_RATES")
"""Settings that are mappings, and JSON in the environment."""

_SWITCHES = ("ENABLED",)
"""Settings that are true, false, or a callable, which as text is a dotted path."""

_OTHER_VARIABLES = ("DD_PA_EMULATOR_", "DD_PA_DELIVER_FROM", testbed.VARIABLE)

_SERVICE_LINK = re.compile(
    r"(?:.+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT(?:_[0-9]+_(?:TCP|UDP|SCTP)(?:_[A-Z]+)?)?)"
)
"""What Kubernetes calls the variables that it makes for a service which is named `dd-pa`, or begins so."""


def read(
    cls: type[SettingsT],
    mapping: Mapping[str, object],
    *,
    environ: Mapping[str, str] | None,
    defaults: Mapping[str, object] | None,
    label: str,
) -> SettingsT:
    """Make settings of a dataclass, as `Settings.from_mapping` says."""
    types = _types(cls)
    found = dict(_from_environ(environ or {}, types))
    for key, value in mapping.items():
        if value is not None or key in _NONE_SAYS_SOMETHING:
            found[_known(key, label.format(key), types)] = (label.format(key), value)
    values = {key: _convert(key, name, value, types[key]) for key, (name, value) in found.items()}
    merged = {**(defaults or {}), **values}
    try:
        return cls(**{key.lower(): value for key, value in merged.items()})
    except SettingsError as error:
        name = found[error.key][0] if error.key in found else label.format(error.key)
        raise SettingsError(name, error.problem) from error.__cause__


def _from_environ(environ: Mapping[str, str], known: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, object]]]:
    for key, variable in SHARED_VARIABLES.items():
        if environ.get(variable):
            yield key, (variable, environ[variable])
    for variable, value in environ.items():
        key = variable.removeprefix("DD_PA_")
        if key == variable or not value or variable.startswith(_OTHER_VARIABLES):
            continue
        if key in known or not _SERVICE_LINK.fullmatch(key):
            yield _known(key, variable, known), (variable, value)


def _known(key: str, name: str, known: Mapping[str, Any]) -> str:
    if key in known:
        return key
    near = difflib.get_close_matches(str(key).upper(), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    raise SettingsError(name, f"unknown setting; {hint}")


def _convert(key: str, name: str, value: object, wanted: Any) -> Any:
    if wanted is Resolver or value is None or isinstance(value, Secret):
        return value
    if key in _SWITCHES and (callable(value) or (isinstance(value, str) and "." in value)):
        return value
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, PurePath):
        value = str(value)
    try:
        if key in _JSON_TEXTS and isinstance(value, str):
            return msgspec.json.decode(value, type=wanted)
        return msgspec.convert(value, wanted, strict=False)
    except (msgspec.DecodeError, msgspec.ValidationError):
        wrong = "must be a mapping, or a JSON object as text" if key in _JSON_TEXTS else "must be a text"
        raise SettingsError(name, _WRONG_TYPE.get(wanted, wrong)) from None


_WRONG_TYPE = {bool: "must be true or false", int: "must be a whole number", float: "must be a number"}


def _types(cls: type[Any]) -> dict[str, Any]:
    """Return the type of each setting by its key, in the order of the class."""
    hints: dict[str, Any] = get_type_hints(cls)
    secret = ("API_KEY", "APP_KEY", "BEARER_TOKEN", "RELAY_URL", "TAP_URL")
    special: dict[str, Any] = dict.fromkeys((*secret, "OVERFLOW", "DELIVERY"), str)
    special |= {"PERSONAL_DATA": str, "PERSONAL_DATA_KEY": Any}
    special |= {"JOB_SECRET": Any, "JOB_SECRET_FALLBACKS": Any}  # a text or bytes, which the settings look at
    special |= {"ENABLED": bool}
    special |= {"USER_ATTRIBUTES": Any, "ACCOUNT_ATTRIBUTES": Any}
    return {item.name.upper(): hints[item.name] for item in fields(cls)} | special
