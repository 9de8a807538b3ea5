from __future__ import annotations

import sys
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext

from dd_pa import Emitter
from dd_pa.query.terminal import HELP, Question, ask, options


@click.command("query", help=HELP)
@options
@with_appcontext
def command(**typed: Any) -> None:
    """Ask with the app's settings."""
    emitter: Emitter = current_app.extensions["dd_pa"].emitter
    sys.exit(ask(emitter.settings, Question(**typed), out=sys.stdout, err=sys.stderr))
