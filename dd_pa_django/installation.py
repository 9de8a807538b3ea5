"""System checks of how dd-pa is built into a site. What is wrong with `DD_PA` itself, `checks` tells."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, models
from django.utils.module_loading import import_string

from dd_pa import Settings
from dd_pa_django.configuration import load_settings
from dd_pa_django.middleware import ProductAnalyticsMiddleware

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def register_all() -> None:
    """Have the checks run by `manage.py check`, and before servers and `migrate`."""
    register(check_middleware)
    register(check_user_key, Tags.models)
    register(check_deployment, Tags.security, deploy=True)


def check_middleware(**kwargs: Any) -> list[CheckMessage]:
    """Report a middleware that is missing or stands twice. Its place does not matter: the user is read late."""
    count = sum(_is_ours(path) for path in settings.MIDDLEWARE)
    path = f"{ProductAnalyticsMiddleware.__module__}.{ProductAnalyticsMiddleware.__qualname__}"
    if count == 0:
        hint = f"Add {path!r} to MIDDLEWARE."
        return [Warning("Events are linked to nobody: the middleware is missing.", hint=hint, id="dd_pa.W002")]
    if count > 1:
        return [Error("The middleware stands in MIDDLEWARE twice.", hint="Remove one of them.", id="dd_pa.E002")]
    return []


def _is_ours(path: str) -> bool:
    try:
        middleware = import_string(path)
    except ImportError:  # Django says so itself
        return False
    return isinstance(middleware, type) and issubclass(middleware, ProductAnalyticsMiddleware)


def check_user_key(**kwargs: Any) -> list[CheckMessage]:
    """Report a user model whose key is an e-mail: it would be sent as `usr.id`."""
    configured = _settings()
    if configured is None or configured.user_id is not None:
        return []
    try:
        key = get_user_model()._meta.pk
    except ImproperlyConfigured:  # Django says so itself, where it matters
        return []
    if isinstance(key, models.EmailField) or "mail" in str(key.name):
        hint = "Name a callable that returns an opaque id, by DD_PA['USER_ID']."
        return [Warning("Each event carries an e-mail as usr.id: it is the users' key.", hint=hint, id="dd_pa.W003")]
    return []


def default_alias() -> str:
    from dd_pa_django.outbox.writing import default_alias as of_outbox  # noqa: PLC0415 - needs the models

    return of_outbox()


def check_deployment(**kwargs: Any) -> list[CheckMessage]:
    """Report what is right on a laptop only (`check --deploy`)."""
    configured = _settings()
    return [] if configured is None or not configured.enabled else list(_of_a_laptop(configured))


def _of_a_laptop(configured: Settings) -> Iterator[CheckMessage]:
    if urlsplit(str(configured.intake_url)).hostname in _LOOPBACK:
        hint = "Leave DD_PA['INTAKE_URL'] out, so that SITE decides; or ignore this if a relay listens there."
        yield Warning("Events go to this machine, as to the emulator.", hint=hint, id="dd_pa.W004")
    if configured.strict:
        hint = "Leave DD_PA['STRICT'] out, so that DEBUG decides."
        yield Warning("A bad event raises in production: STRICT is on.", hint=hint, id="dd_pa.W005")
    if configured.spool_dir is None:
        hint = "Leave DD_PA['SPOOL_DIR'] out, or set a directory that survives the process."
        yield Warning("A killed process loses the events in its memory: SPOOL_DIR is None.", hint=hint, id="dd_pa.W006")
    if configured.outbox and connections[default_alias()].vendor == "sqlite":
        hint = "Run one dd_pa_deliver and few workers, or keep the outbox in another database."
        yield Warning("The outbox lies in SQLite, where one process writes at a time.", hint=hint, id="dd_pa.W008")
    if _is_temporary(configured.spool_dir):
        hint = "Set DD_PA['SPOOL_DIR'] to a directory that survives a restart of the machine."
        yield Warning("Events wait in a directory that is emptied at restarts.", hint=hint, id="dd_pa.W007")


def _is_temporary(path: str | None) -> bool:
    return path is not None and os.path.realpath(path).startswith(("/tmp/", "/dev/shm/", "/run/"))  # noqa: S108


def _settings() -> Settings | None:
    try:
        return load_settings()
    except ImproperlyConfigured:  # dd_pa.E001 and W001 say why
        return None
