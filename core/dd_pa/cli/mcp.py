"""`dd-pa mcp`: lets a coding agent ask the emulator what events arrived, and why one did not."""

from __future__ import annotations

from urllib.parse import urlsplit

import click

from dd_pa.agents import EmulatorTools, make_server
from dd_pa.settings.addresses import is_loopback


@click.command("mcp")
@click.option(
    "--url", default="http://127.0.0.1:8994", show_default=True, help="Where the emulator is, on this machine."
)
@click.option("--token", envvar="DD_PA_EMULATOR_TOKEN", show_envvar=True, help="The emulator's, if it asks for one.")
def command(url: str, token: str | None) -> None:
    """Serve the Model Context Protocol on standard input and output.

    The tools read and change nothing, and tell ids and values of attributes only when they are asked to. A running
    emulator answers over HTTP too, at /mcp.
    """
    if not is_loopback(urlsplit(url).hostname or ""):
        raise click.UsageError("--url must be on this machine")
    make_server(EmulatorTools(url.rstrip("/"), token)).run("stdio")
