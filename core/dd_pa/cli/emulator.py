"""`dd-pa emulator`: a local Product Analytics, which coding agents may ask too."""

from __future__ import annotations

import asyncio
import functools
import importlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from starlette.types import ASGIApp

DEFAULT_PORT = 8994


@click.command("emulator")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; others need --token.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65535), help="0: a free one.")
@click.option(
    "--api-key",
    "api_keys",
    multiple=True,
    envvar="DD_PA_EMULATOR_API_KEYS",
    help="Take events with this key only; may be repeated. Default: any key.",
)
@click.option(
    "--application-id", "application_ids", multiple=True, help="Take events of this application only; may be repeated."
)
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME[:PORT]",
    help="Answer to this name too; may be repeated.",
)
@click.option(
    "--token",
    envvar="DD_PA_EMULATOR_TOKEN",
    show_envvar=True,
    help="Ask for this token before showing the page; needed for other machines.",
)
@click.option(
    "--keep",
    "kept",
    default=100_000,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="Requests kept in memory; the oldest go.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder where events stay for queries, 15 months; without it they are gone at the end.",
)
@click.option(
    "--segments",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON file of the segments that queries may name.",
)
@click.option(
    "--by-occurrence", is_flag=True, help="In queries, server events have the time dd_pa.occurred_at, not of arrival."
)
@click.option(
    "--plan",
    "plans",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="events.lock.json of a tracking plan; may be repeated. Running applications tell theirs by themselves.",
)
@click.option(
    "--read",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Show the events of a folder that Datadog's Export Pipelines wrote (Parquet), and take none.",
)
@click.option("--sample", is_flag=True, help="Begin with 30 days of a made-up shop, for a look at every view.")
@click.option("--lenient", is_flag=True, help="Take events without usr, account and session, as the real intake may.")
def command(*, lenient: bool, **options: Any) -> None:
    """Run a local Product Analytics: an intake for events, and a page that shows them as they come."""
    from dd_pa.emulator.server import CannotServeError  # noqa: PLC0415 - --help needs no server
    from dd_pa.emulator.service import Service  # noqa: PLC0415 - as above

    keys = options["api_keys"]
    given = {name: value for name, value in options.items() if value != ()}
    try:
        Service(**given, strict=not lenient).run(
            agents=functools.partial(agents, api_keys=keys) if find_spec("mcp") and find_spec("tenacity") else None,
            on_ready=lambda url: click.echo(f"Product Analytics local: {url}  (Ctrl-C stops it)"),
        )
    except CannotServeError as error:
        raise click.ClickException(str(error)) from None


def agents(url: str, token: str | None, api_keys: Sequence[str] = ()) -> ASGIApp:
    """Return what answers coding agents about this emulator; its library is large, and loaded when the first one asks.

    It asks over HTTP as anybody does: the emulator shares no code with what asks it.
    """

    @functools.cache
    def entrance() -> Any:
        module = importlib.import_module("dd_pa.agents")
        return module.HTTPEntrance(module.EmulatorTools(url, token, next(iter(api_keys), None)))

    async def answer(*request: Any) -> None:
        await (await asyncio.to_thread(entrance))(*request)

    return answer
