from __future__ import annotations

from pathlib import Path

import click
from flask.cli import with_appcontext

from dd_pa import PlanError
from dd_pa.cli.events import lock_option, run_check, update_option
from dd_pa.model_events import event_lines
from dd_pa.plan.check import import_modules
from dd_pa_flask.models import model_events


@click.group("events", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List the events that are declared as classes and on models; `check` compares the classes with the lock file."""
    if context.invoked_subcommand is None:
        context.invoke(list_command)


@command.command("list")
@with_appcontext
def list_command() -> None:
    """List the events that are declared as classes and on models: what they are called, and what brings them about."""
    for line in event_lines((model.__name__, declaration) for model, declaration in model_events.declared()):
        click.echo(line)


@command.command("check")
@lock_option
@update_option
@click.argument("modules", nargs=-1)
@with_appcontext
def check_command(path: Path, modules: tuple[str, ...], *, update: bool) -> None:
    """Compare the event classes of the app, and of MODULES, with the lock file, and say what breaks its readers."""
    try:
        import_modules(modules, Path.cwd())
        run_check(path, update=update)
    except PlanError as error:
        raise click.ClickException(str(error)) from None
