"""`dd-pa events`: the tracking plan of an application's event classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from dd_pa.errors import PlanError
from dd_pa.plan import lock
from dd_pa.plan.check import check
from dd_pa.plan.documents import CATALOGUES, EXPORTS, catalogue_format, chosen_plan, write_document
from dd_pa.plan.modules import import_modules

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


@click.group("events")
def command() -> None:
    """The tracking plan: the event classes of an application, and the lock file that they agree with."""


lock_option = click.option(
    "--lock", "path", default=lock.NAME, show_default=True, type=click.Path(path_type=Path), help="The lock file."
)
update_option = click.option("--update", is_flag=True, help="Record what is declared now.")
modules_argument = click.argument("modules", nargs=-1)
catalogue_option = click.option(
    "--format", "form", type=click.Choice(list(CATALOGUES)), help="By default as the output's name says."
)
export_option = click.option(
    "--format",
    "form",
    type=click.Choice(list(EXPORTS)),
    default="json-schema",
    show_default=True,
    help="Its form.",
)


def document_options(function: CommandT) -> CommandT:
    """Add the options of what writes a document of the plan."""
    output = click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: the terminal.")
    source = click.option(
        "--lock", "path", type=click.Path(path_type=Path), help="Take the plan of this lock file, and import nothing."
    )
    return output(source(modules_argument(function)))


@command.command("check")
@lock_option
@update_option
@modules_argument
def check_command(path: Path, modules: tuple[str, ...], *, update: bool) -> None:
    """Compare the event classes in MODULES with the lock file, and say what breaks its readers.

    Without MODULES those of `event-modules` in pyproject.toml's [tool.dd-pa] are imported. Ends with 1 at a change
    that is not recorded.
    """
    run_check(path, modules, update=update)


@command.command("catalogue")
@catalogue_option
@document_options
def catalogue_command(form: str | None, path: Path | None, modules: tuple[str, ...], output: Path | None) -> None:
    """Write what is declared in MODULES for people to read: events, fields, owners, personal data, deprecations."""
    run_document(CATALOGUES[form or catalogue_format(output)], path, modules, output)


@command.command("export")
@export_option
@document_options
def export_command(form: str, path: Path | None, modules: tuple[str, ...], output: Path | None) -> None:
    """Write what is declared in MODULES for other tools: JSON Schema 2020-12, or AsyncAPI 3."""
    run_document(EXPORTS[form], path, modules, output)


def run_check(path: Path, modules: tuple[str, ...], *, update: bool) -> None:
    """Print what the check finds; for the commands of frameworks too. Exits with 1 at a change."""
    try:
        import_modules(modules, Path.cwd())
        report = check(path, update=update)
    except PlanError as error:
        raise click.ClickException(str(error)) from None
    for line in report.lines:
        click.echo(line)
    if not report.is_good:
        raise SystemExit(1)


def run_document(make: Callable[..., str], path: Path | None, modules: tuple[str, ...], output: Path | None) -> None:
    """Write a document of the plan; for the commands of frameworks too."""
    try:
        if path is None:
            import_modules(modules, Path.cwd())
        write_document(make(chosen_plan(path)), output, lambda text: click.echo(text, nl=False))
    except PlanError as error:
        raise click.ClickException(str(error)) from None
