"""`dd-pa events`: the tracking plan of an application's event classes."""

from __future__ import annotations

from pathlib import Path

import click

from dd_pa.errors import PlanError
from dd_pa.plan import lock
from dd_pa.plan.check import check, import_modules


@click.group("events")
def command() -> None:
    """The tracking plan: the event classes of an application, and the lock file that they agree with."""


lock_option = click.option(
    "--lock", "path", default=lock.NAME, show_default=True, type=click.Path(path_type=Path), help="The lock file."
)
update_option = click.option("--update", is_flag=True, help="Record what is declared now.")


@command.command("check")
@lock_option
@update_option
@click.argument("modules", nargs=-1)
def check_command(path: Path, modules: tuple[str, ...], *, update: bool) -> None:
    """Compare the event classes in MODULES with the lock file, and say what breaks its readers.

    Without MODULES those of `event-modules` in pyproject.toml's [tool.dd-pa] are imported. Ends with 1 at a change
    that is not recorded.
    """
    try:
        import_modules(modules, Path.cwd())
        run_check(path, update=update)
    except PlanError as error:
        raise click.ClickException(str(error)) from None


def run_check(path: Path, *, update: bool) -> None:
    """Print what the check of what is imported finds; for the commands of frameworks too. Exits with 1 at a change."""
    report = check(path, update=update)
    for line in report.lines:
        click.echo(line)
    if not report.is_good:
        raise SystemExit(1)
