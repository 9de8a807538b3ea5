from __future__ import annotations

import importlib
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from dd_pa.cli.init import offer
from dd_pa.project_setup import UnknownProjectError, flask_changes


@click.command("init")
@click.option("--write", is_flag=True, help="Add the lines without asking.")
@with_appcontext
@click.pass_context
def command(context: click.Context, *, write: bool) -> None:
    """Show what the app's module lacks of dd-pa, add it when told to, and examine the app.

    Where the extension is not set up yet, `dd-pa init` does the same.
    """
    module = importlib.import_module(current_app.import_name)
    try:
        changes = flask_changes(Path(str(module.__file__)))
    except UnknownProjectError as error:
        raise click.ClickException(str(error)) from None
    offer(changes, Path.cwd(), write=write)
    if changes:
        click.echo("Now run: flask dd-pa doctor")  # this app was made before
        return
    from dd_pa_flask.commands.doctor import command as doctor  # noqa: PLC0415 - the other command

    context.invoke(doctor)
