from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import fields

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from dd_pa import Settings, SettingsError

KEYS = tuple(item.name.upper() for item in fields(Settings))


def load_settings(mapping: object = None, *, defaults: Mapping[str, object] | None = None) -> Settings:
    """Read and check `settings.DD_PA` (or `mapping`), completed from the environment, then from `defaults`.

    Raises `ImproperlyConfigured` with the key's name and the fix.
    """
    if mapping is None:
        mapping = getattr(settings, "DD_PA", {})
    if not isinstance(mapping, Mapping):
        raise ImproperlyConfigured(f"DD_PA: must be a dict, not {type(mapping).__name__}")
    try:
        return Settings.from_mapping(
            mapping,
            environ=os.environ,
            defaults={"STRICT": settings.DEBUG, **_job_secrets(), **(defaults or {})},
            label="DD_PA['{}']",
        )
    except SettingsError as error:
        problem = error.with_traceback(None)
        del mapping  # its key must not be among the local variables that Django's debug page shows
        raise ImproperlyConfigured(str(problem)) from problem


def _job_secrets() -> dict[str, object]:
    try:
        return {"JOB_SECRET": settings.SECRET_KEY, "JOB_SECRET_FALLBACKS": settings.SECRET_KEY_FALLBACKS}
    except ImproperlyConfigured:  # none: some commands run without
        return {}


def name_of(key: str) -> str:
    """Return how whoever configured a setting wrote it: a key of `DD_PA`, unless it is only in the environment."""
    given = getattr(settings, "DD_PA", {})
    is_given = isinstance(given, Mapping) and (given.get(key) is not None or (key == "SPOOL_DIR" and key in given))
    return f"DD_PA_{key}" if not is_given and os.environ.get(f"DD_PA_{key}") else f"DD_PA['{key}']"


def asks_for_auth_events() -> bool:
    """Tell whether `AUTH_EVENTS` is on, at a time when other settings may be missing or not importable yet."""
    return _is_on("AUTH_EVENTS", otherwise=False)  # the system check says what is wrong, and the middleware raises it


def asks_for_outbox() -> bool:
    """Tell whether the outbox seems to be wanted, although what `DD_PA` says may be wrong.

    In doubt it is: a value that is neither true nor false counts, and so does a key that was meant for it.
    """
    return any(_is_on(key, otherwise=True) for key in _meant("OUTBOX")) and _is_on("ENABLED", otherwise=True)


def _meant(key: str) -> list[str]:
    """Return a key, and what was given that is none but is most like it."""
    given = getattr(settings, "DD_PA", {})
    keys = list(given) if isinstance(given, Mapping) else []
    keys += [name.removeprefix("DD_PA_") for name in os.environ if name.startswith("DD_PA_")]
    unknown = [str(name) for name in keys if name not in KEYS]
    return [key, *(name for name in unknown if difflib.get_close_matches(name.upper(), KEYS, n=1) == [key])]


def _is_on(key: str, *, otherwise: bool) -> bool:
    given = getattr(settings, "DD_PA", {})
    value = given.get(key) if isinstance(given, Mapping) else None
    if value is None:
        value = os.environ.get(f"DD_PA_{key}") or key == "ENABLED"
    try:
        return Settings.from_mapping({"ENABLED": False, "AUTH_EVENTS": value}).auth_events  # any flag would do
    except SettingsError:
        return otherwise
