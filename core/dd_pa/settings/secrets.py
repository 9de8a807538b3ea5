"""Keys and other secrets among the settings: how they hide, and which are taken for one."""

from __future__ import annotations

import logging
import re
from typing import Any

from dd_pa.errors import SettingsError
from dd_pa.settings.checks import VISIBLE_ASCII

logger = logging.getLogger("dd_pa")

_CLIENT_TOKEN = re.compile(r"pub[0-9a-f]{32}")


class Secret:
    """A string that shows itself as `***` wherever it is printed, formatted, copied into a dict or pickled."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the real value; call it where the value is used, and do not store the result."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __reduce__(self) -> tuple[Any, ...]:
        return (Secret, ("***",))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


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
    if not VISIBLE_ASCII.fullmatch(key.reveal()):
        raise SettingsError(name, "has a blank, control or non-ASCII character; paste the key again")
    if _CLIENT_TOKEN.fullmatch(key.reveal()):
        raise SettingsError(name, "is the browser's client token (CLIENT_TOKEN); set a Datadog API key")
    if key.reveal() == str(key):
        raise SettingsError(name, "is the mask of a key, not the key; settings that were copied or pickled lose it")
    return key
