from __future__ import annotations

from pathlib import Path

import click
from flask.cli import with_appcontext

from dd_pa.cli.events import (
    catalogue_option,
    check_options,
    document_options,
    export_option,
    run_check,
    run_document,
)
from dd_pa.model_events import event_lines
from dd_pa.plan.documents import CATALOGUES, EXPORTS, catalogue_format
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
@check_options
@with_appcontext
def check_command(path: Path, modules: tuple[str, ...], against: str | None, *, update: bool) -> None:
    """Compare the event classes of the app, and of MODULES, with the lock file, and say what breaks its readers."""
    run_check(path, modules, against, update=update)


@command.command("catalogue")
@catalogue_option
@document_options
@with_appcontext
def catalogue_command(form: str | None, path: Path | None, modules: tuple[str, ...], output: Path | None) -> None:
    """Write what the app, and MODULES, declare for people to read."""
    run_document(CATALOGUES[form or catalogue_format(output)], path, modules, output)


@command.command("export")
@export_option
@document_options
@with_appcontext
def export_command(form: str, path: Path | None, modules: tuple[str, ...], output: Path | None) -> None:
    """Write what the app, and MODULES, declare for other tools: JSON Schema 2020-12, or AsyncAPI 3."""
    run_document(EXPORTS[form], path, modules, output)
