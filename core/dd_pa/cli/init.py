"""`dd-pa init`: puts dd-pa into the project of this folder, after it has shown the lines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from dd_pa.project_setup import (
    Change,
    DjangoProject,
    FlaskProject,
    UnknownProjectError,
    django_changes,
    find_project,
    flask_changes,
)


@click.command("init")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--write", is_flag=True, help="Add the lines without asking.")
def command(file: Path | None, *, write: bool) -> None:
    """Look at the Django or Flask project here, show what it lacks, add it when told to, and examine it.

    FILE is the module of the settings, or that makes the app; found by itself where there is one only. Reads files and
    imports nothing. Ends with 1 if something keeps events from arriving.
    """
    root = Path.cwd()
    try:
        project = find_project(root, file)
        changes = changes_of(project)
    except (UnknownProjectError, SyntaxError, OSError) as error:
        raise click.ClickException(str(error)) from None
    offer(changes, root, write=write)
    sys.exit(subprocess.run(doctor_of(project), cwd=root, check=False).returncode)  # noqa: S603 - our own command


def changes_of(project: DjangoProject | FlaskProject) -> list[Change]:
    """Return what the project's files lack."""
    if isinstance(project, DjangoProject):
        return django_changes(project.settings, project.root)
    return flask_changes(project.module)


def doctor_of(project: DjangoProject | FlaskProject) -> list[str]:
    """Return the command that examines a project with its own settings."""
    if isinstance(project, DjangoProject):
        return [sys.executable, "manage.py", "dd_pa_doctor"]
    return [sys.executable, "-m", "flask", "--app", project.app, "--debug", "dd-pa", "doctor"]


def offer(changes: list[Change], root: Path, *, write: bool) -> None:
    """Show the lines and add them if that is wished; end the command if it is not."""
    if not changes:
        click.echo("The project has all that dd-pa needs.")
        return
    for change in changes:
        click.echo(change.diff(root))
    if not write and not sys.stdin.isatty():
        click.echo("Nothing was written. Add these lines with --write.")
        sys.exit(0)
    if not write and not click.confirm("Add these lines?"):
        sys.exit(0)
    for change in changes:
        try:
            change.apply()
        except OSError as error:
            raise click.ClickException(f"{change.path.name} cannot be written: {error.strerror}") from None
    click.echo("Written. Events show at the emulator: run dd-pa emulator beside this.\n")
