"""`dd-pa query`: asks with the settings of the environment."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import click

from dd_pa.errors import SettingsError
from dd_pa.query.terminal import HELP, Question, ask, options
from dd_pa.settings.settings import Settings


@click.command("query", help=HELP)
@options
def command(**typed: Any) -> None:
    """Ask what happened."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        # Nothing is sent: without ENABLED neither an application id nor, for the emulator, a key is needed.
        settings = Settings.from_mapping({"ENABLED": False}, environ=os.environ, label="DD_PA_{}")
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
    sys.exit(ask(settings, Question(**typed), out=sys.stdout, err=sys.stderr))
