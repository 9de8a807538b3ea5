"""The settings of an app, and what happens where a command runs without the secrets that a server has."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

import click
from flask import Flask
from flask.cli import ScriptInfo

from dd_pa import Settings, SettingsError

logger = logging.getLogger("dd_pa")

_STAND_INS = {"APPLICATION_ID": "missing", "API_KEY": "missing"}


def load_settings(app: Flask) -> tuple[Settings, SettingsError | None]:
    """Return the settings of an app, and what they lack if only a command may run without it. Raises `SettingsError`.

    `flask db upgrade` and `flask routes` run where there are no secrets, in the build of an image or in CI: there, a
    missing key or application id is a warning and turns the events off. `flask run` and other servers do not start.
    """
    given = app.config.get_namespace("DD_PA_", lowercase=False)
    try:
        return _read(app, given), None
    except SettingsError as error:
        if not (_is_command() and _only_lacks_values(app, given)):
            raise
        logger.warning("%s. This command runs without events; a server does not start", error)
        return _read(app, {**given, "ENABLED": False}), error


def strict_by_default(app: Flask) -> bool:
    """Return what `DD_PA_STRICT` is unless it is set."""
    return app.debug or app.testing


def says_strict(app: Flask) -> bool:
    """Tell whether the configuration or the environment decides how strict events are."""
    return app.config.get("DD_PA_STRICT") is not None or bool(os.environ.get("DD_PA_STRICT"))


def _read(app: Flask, given: Mapping[str, object], **stand_ins: object) -> Settings:
    return Settings.from_mapping(
        given,
        environ=os.environ,
        defaults={
            "STRICT": strict_by_default(app),
            "JOB_SECRET": app.config.get("SECRET_KEY"),
            "JOB_SECRET_FALLBACKS": app.config.get("SECRET_KEY_FALLBACKS") or (),
            **stand_ins,
        },
        label="DD_PA_{}",
    )


def _only_lacks_values(app: Flask, given: Mapping[str, object]) -> bool:
    present = {key: value for key, value in given.items() if value != ""}
    try:
        _read(app, present, **_STAND_INS)
    except SettingsError:
        return False
    return True


def _is_command() -> bool:
    """Tell whether the app is being loaded for one of Flask's commands, other than the one that serves it."""
    context = click.get_current_context(silent=True)
    return context is not None and context.find_object(ScriptInfo) is not None and context.info_name != "run"
