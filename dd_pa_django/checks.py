"""All system checks of dd-pa: of `DD_PA` itself, and of how dd-pa is built into a site.

docs/django.md lists their ids; a test holds both together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.signed_cookies import SessionStore as CookieStore
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, models
from django.utils.module_loading import import_string

from dd_pa import Settings
from dd_pa_django.configuration import load_settings, name_of
from dd_pa_django.middleware import ProductAnalyticsMiddleware
from dd_pa_django.model_events.queryset import TrackedQuerySet
from dd_pa_django.model_events.watch import watches

Check = Callable[..., list[CheckMessage]]

_STAND_INS = {"APPLICATION_ID": "missing", "API_KEY": "missing"}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_EMPTIED = ("/tmp", "/var/tmp", "/dev/shm", "/run")  # noqa: S108 - this is what is looked for


def register_all() -> None:
    """Have the checks run by `manage.py check`, and before servers and `migrate`."""
    for check in (check_settings, check_middleware, check_session_fallback):
        register(check)
    register(check_user_key, Tags.models)
    register(check_tenants, Tags.models)
    register(check_user_fields, Tags.models)
    register(check_managers, Tags.models)
    register(check_deployment, Tags.security, deploy=True)


def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Report the first thing that is wrong with `DD_PA`.

    What only lacks its key or application is a warning: where `migrate` or `makemigrations` runs, there may be no
    secrets. A server does not start without them all the same, as the middleware raises.
    """
    try:
        load_settings()
    except ImproperlyConfigured as error:
        if _only_lacks_values():
            return [Warning(str(error), hint="Servers will not start without it.", id="dd_pa.W001")]
        return [Error(str(error), id="dd_pa.E001")]
    return []


def check_managers(**kwargs: Any) -> list[CheckMessage]:
    """Warn of models that follow fields, but whose `update()` would tell nothing of them."""
    text = "update() and the bulk methods change followed fields without an event."
    hint = "Give it objects = TrackedQuerySet.as_manager(), or let its own queryset inherit from TrackedQuerySet."
    return [
        Warning(text, hint=hint, obj=model, id="dd_pa.W010")
        for model, watch in watches.items()
        if watch.fields and model._meta.managed and not isinstance(model._default_manager.all(), TrackedQuerySet)
    ]


def _only_lacks_values() -> bool:
    given = getattr(settings, "DD_PA", {})
    if not isinstance(given, Mapping):
        return False
    present = {key: value for key, value in given.items() if value != ""}
    try:
        load_settings(present, defaults=_STAND_INS)
    except ImproperlyConfigured:
        return False
    return True


def _of_right_settings(check: Callable[[Settings], Iterator[CheckMessage]]) -> Check:
    """Make a check of one that looks at the settings; what is wrong with those, `check_settings` reports."""

    def checked(**kwargs: Any) -> list[CheckMessage]:
        try:
            return list(check(load_settings(defaults=_STAND_INS)))
        except ImproperlyConfigured:
            return []

    return checked


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


@_of_right_settings
def check_user_key(configured: Settings) -> Iterator[CheckMessage]:
    """Report a user model whose key is an e-mail: it would be sent as `usr.id`."""
    if configured.user_id is not None:
        return
    key = get_user_model()._meta.pk
    if isinstance(key, models.EmailField) or "mail" in str(key.name):
        hint = f"Name a callable that returns an opaque id, by {name_of('USER_ID')}."
        yield Warning("Each event carries an e-mail as usr.id: it is the users' key.", hint=hint, id="dd_pa.W003")


@_of_right_settings
def check_tenants(configured: Settings) -> Iterator[CheckMessage]:
    """Warn where each tenant has users of its own, as with django-tenants: the same key is another person in each."""
    users = apps.get_app_config(get_user_model()._meta.app_label)
    names = {users.name, f"{type(users).__module__}.{type(users).__qualname__}"}
    if configured.user_id is None and not names.isdisjoint(getattr(settings, "TENANT_APPS", ())):
        text = "Users of different tenants with the same key would be one user: TENANT_APPS has the users."
        hint = f"Name a callable by {name_of('USER_ID')} that puts the tenant before the key."
        yield Warning(text, hint=hint, id="dd_pa.W012")


@_of_right_settings
def check_user_fields(configured: Settings) -> Iterator[CheckMessage]:
    """Warn of names for which the user model has nothing that can be sent."""
    model = get_user_model()
    for setting in ("user_attributes", "account_attributes"):
        names = getattr(configured, setting)
        for name in names if isinstance(names, tuple) else ():
            problem = _problem_of_field(model, name)
            if problem is not None:
                text = f"{name_of(setting.upper())} names {name!r}, {problem}"
                hint = "Name another field or property, or give a callable of the request."
                yield Warning(text, hint=hint, obj=model, id="dd_pa.W011")


def _problem_of_field(model: type[models.Model], name: str) -> str | None:
    related = {each.name for each in model._meta.get_fields() if each.is_relation}
    if name in related:
        return "which is another row; an event would go without it."
    if not hasattr(model, name):
        return "which users do not have; an event would go without it."
    return "which is a method; an event would go without it." if callable(getattr(model, name)) else None


@_of_right_settings
def check_session_fallback(configured: Settings) -> Iterator[CheckMessage]:
    """Warn of a fallback that can never find anything."""
    if configured.session_fallback and issubclass(import_module(settings.SESSION_ENGINE).SessionStore, CookieStore):
        text = "Sessions in signed cookies have no key on the server, so there is no SESSION_FALLBACK."
        hint = f"Use another SESSION_ENGINE, or turn {name_of('SESSION_FALLBACK')} off."
        yield Warning(text, hint=hint, id="dd_pa.W009")


@_of_right_settings
def check_deployment(configured: Settings) -> Iterator[CheckMessage]:
    """Report what is right on a laptop only (`check --deploy`). With DEBUG on, Django says that this is one."""
    if not configured.enabled:
        return
    if not settings.DEBUG:
        yield from _of_a_laptop(configured)
    yield from _of_places(configured)


def _of_a_laptop(configured: Settings) -> Iterator[CheckMessage]:
    if urlsplit(str(configured.intake_url)).hostname in _LOOPBACK:
        hint = f"Leave {name_of('INTAKE_URL')} out, so that SITE decides; or ignore this if a relay listens there."
        yield Warning("Events go to this machine, as to the emulator.", hint=hint, id="dd_pa.W004")
    if configured.strict:
        text = "A bad event raises in production: STRICT is on."
        hint = f"Leave {name_of('STRICT')} out, so that DEBUG decides, or set it to False."
        yield Warning(text, hint=hint, id="dd_pa.W005")


def _of_places(configured: Settings) -> Iterator[CheckMessage]:
    from dd_pa.doctor import spool_place  # noqa: PLC0415 - it knows the delivery, which is dearer than all of the glue

    place = spool_place(configured)
    if configured.spool_dir is None:
        hint = f"Leave {name_of('SPOOL_DIR')} out, or set a directory that survives the process."
        yield Warning("A killed process loses the events in its memory: SPOOL_DIR is None.", hint=hint, id="dd_pa.W006")
    elif place is not None and _is_emptied(place):
        hint = f"Set {name_of('SPOOL_DIR')} to a directory that survives a restart of the machine, not {place}."
        yield Warning("Events wait in a directory that is emptied at restarts.", hint=hint, id="dd_pa.W007")
    if configured.outbox and connections[default_alias()].vendor == "sqlite":
        hint = "Run one dd_pa_deliver and few workers, or keep the outbox in another database."
        yield Warning("The outbox lies in SQLite, where one process writes at a time.", hint=hint, id="dd_pa.W008")


def _is_emptied(place: str) -> bool:
    real = os.path.realpath(place)
    return any(real == root or real.startswith(f"{root}/") for root in map(os.path.realpath, _EMPTIED))


def default_alias() -> str:
    """Return the database whose outbox takes what belongs to no transaction."""
    from dd_pa_django.outbox.writer import default_alias as of_outbox  # noqa: PLC0415 - needs the models

    return of_outbox()
