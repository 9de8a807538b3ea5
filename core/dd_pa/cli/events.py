"""`dd-pa events`: the tracking plan of an application's event classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from dd_pa.errors import PlanError
from dd_pa.plan import lock_file
from dd_pa.plan.documents import CATALOGUES, EXPORTS, catalogue_format, chosen_plan, write_document
from dd_pa.plan.event_modules import import_modules
from dd_pa.plan.lock_check import check, compare
from dd_pa.plan.model import Plan

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


@click.group("events")
def command() -> None:
    """The tracking plan: the event classes of an application, and the lock file that they agree with."""


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


def check_options(function: CommandT) -> CommandT:
    """Add the options of the check."""
    path = click.Path(path_type=Path)
    file = click.option("--lock", "path", default=lock_file.NAME, show_default=True, type=path, help="The lock file.")
    update = click.option("--update", is_flag=True, help="Record what is declared now.")
    against = click.option(
        "--against", metavar="REVISION", help="Compare with the lock file of this revision of git, as origin/main."
    )
    return file(update(against(modules_argument(function))))


def document_options(function: CommandT) -> CommandT:
    """Add the options of what writes a document of the plan."""
    output = click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: the terminal.")
    source = click.option(
        "--lock", "path", type=click.Path(path_type=Path), help="Take the plan of this lock file, and import nothing."
    )
    return output(source(modules_argument(function)))


@command.command("check")
@check_options
def check_command(path: Path, modules: tuple[str, ...], against: str | None, *, update: bool) -> None:
    """Compare the event classes in MODULES with the lock file, and say what breaks its readers.

    Without MODULES those of `event-modules` in pyproject.toml's [tool.dd-pa] are imported. Ends with 1 at a change
    that is not recorded; with --against at one that breaks readers.
    """
    run_check(path, modules, against, update=update)


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


def run_check(path: Path, modules: tuple[str, ...], against: str | None, *, update: bool) -> None:
    """Print what the check finds; for the commands of frameworks too. Exits with 1 at a change."""
    if update and against is not None:
        raise click.UsageError("--update records what is declared, and --against only compares: give one of them")
    try:
        import_modules(modules, Path.cwd())
        report = check(path, update=update) if against is None else compare(path, against)
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


output_option = click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="The module to write. Default: the terminal."
)


@command.command("infer")
@click.option(
    "--emulator", "url", default="http://127.0.0.1:8994", show_default=True, help="Ask this one, if no FILES."
)
@click.option("--token", envvar="DD_PA_EMULATOR_TOKEN", show_envvar=True, help="The emulator's, if it needs one.")
@output_option
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def infer_command(url: str, token: str | None, output: Path | None, files: tuple[Path, ...]) -> None:
    """Write classes for the events that the emulator has seen, or those in FILES, with one JSON object on each line."""
    from dd_pa.plan.inference import infer  # noqa: PLC0415 - for this command only

    found = [line for path in files for line in path.read_bytes().splitlines()] if files else _asked(url, token)
    plan = infer(_parsed(number, line) for number, line in enumerate(found, 1) if line.strip())
    _write_classes(plan, "`dd-pa events infer`", output)


@command.command("import")
@output_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_command(file: Path, output: Path | None) -> None:
    """Write classes for a plan of another tool: JSON Schema, a Segment tracking plan, or definitions of PostHog."""
    from dd_pa.plan.foreign_plans import foreign_plan  # noqa: PLC0415 - for this command only

    try:
        _write_classes(foreign_plan(msgspec.json.decode(file.read_bytes())), "`dd-pa events import`", output)
    except (msgspec.DecodeError, UnicodeDecodeError, PlanError) as error:
        raise click.ClickException(f"{file}: {error}") from None


def _write_classes(plan: Plan, origin: str, output: Path | None) -> None:
    from dd_pa.plan.class_source import classes  # noqa: PLC0415 - for two commands only

    if not plan.events:
        raise click.ClickException("there is no event: send some to the emulator, or name files with one on each line")
    try:
        write_document(classes(plan, origin), output, lambda text: click.echo(text, nl=False))
    except PlanError as error:
        raise click.ClickException(str(error)) from None


def _asked(url: str, token: str | None) -> list[bytes]:
    import httpx  # noqa: PLC0415 - dearer than all of ours

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        answer = httpx.get(f"{url.rstrip('/')}/api/emulator/bodies", headers=headers, timeout=30.0)
        answer.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        fix = "start it with dd-pa emulator, or name files"
        raise click.ClickException(f"the emulator at {url} does not answer ({type(error).__name__}): {fix}") from None
    return answer.content.splitlines()


def _parsed(number: int, line: bytes) -> object:
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise click.ClickException(f"line {number} is no JSON: {error}") from None
