"""`flask dd-pa …`: commands that know the app. Each lies in a module of its own, imported when it is used or listed."""

from __future__ import annotations

import importlib

import click
from flask.cli import AppGroup

COMMANDS = {
    "deliver": "dd_pa_flask.commands.deliver",
    "doctor": "dd_pa_flask.commands.doctor",
    "events": "dd_pa_flask.commands.events",
    "init": "dd_pa_flask.commands.init",
    "prune": "dd_pa_flask.commands.prune",
    "query": "dd_pa_flask.commands.query",
    "send": "dd_pa_flask.commands.send",
    "stats": "dd_pa_flask.commands.stats",
}
"""Module of each command; its `command` is what runs, with the app's context pushed."""


class Commands(AppGroup):
    """Imports a command's module when it is wanted, so that `flask run` pays for none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, sorted; those of the outbox and of models are for apps with SQLAlchemy."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None if there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        try:
            found: click.Command = importlib.import_module(COMMANDS[cmd_name]).command
        except ModuleNotFoundError as error:
            if error.name != "sqlalchemy":
                raise
            return None
        return found


group = Commands("dd-pa", help="Datadog Product Analytics: send events and look after their delivery.")
