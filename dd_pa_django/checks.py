from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured

from dd_pa_django.configuration import load_settings

_STAND_INS = {"APPLICATION_ID": "missing", "API_KEY": "missing"}


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
