from __future__ import annotations

import os
from collections.abc import Mapping

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from dd_pa import Settings, SettingsError


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


def asks_for_auth_events() -> bool:
    """Tell whether `AUTH_EVENTS` is on, at a time when other settings may be missing or not importable yet."""
    given = getattr(settings, "DD_PA", {})
    value = given.get("AUTH_EVENTS") if isinstance(given, Mapping) else None
    if value is None:
        value = os.environ.get("DD_PA_AUTH_EVENTS") or False
    try:
        return Settings.from_mapping({"ENABLED": False, "AUTH_EVENTS": value}).auth_events
    except SettingsError:
        return False  # the system check says what is wrong, and the middleware raises it
