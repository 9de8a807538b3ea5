"""The `dd-pa` command."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec

COMMANDS = {
    "deliver": ("dd_pa.cli.deliver", "cli", "fcntl"),
    "doctor": ("dd_pa.cli.doctor", "cli"),
    "emulator": ("dd_pa.cli.emulator", "emulator", "lark", "starlette", "uvicorn"),
    "events": ("dd_pa.cli.events", "cli"),
    "init": ("dd_pa.cli.init", "cli"),
    "mcp": ("dd_pa.cli.mcp", "mcp", "mcp", "tenacity"),
    "query": ("dd_pa.cli.query", "cli,query", "rich", "tenacity"),
    "relay": ("dd_pa.cli.relay", "cli"),
    "skill": ("dd_pa.cli.skill", "cli"),
    "spool": ("dd_pa.cli.spool", "cli", "fcntl"),
}
"""Module and extra of each command, and what it needs beyond click; imported only when the command is used."""


def main() -> None:
    """Run `dd-pa`; say which extra is missing instead of failing in an import."""
    missing = find_spec("click") is None
    name = next((word for word in sys.argv[1:] if word in COMMANDS), None)
    if name is not None:
        missing = missing or any(find_spec(module) is None for module in COMMANDS[name][2:])
    if missing:
        command, extra = (f"dd-pa {name}", COMMANDS[name][1]) if name else ("dd-pa", "cli")
        sys.exit(f"{command}: not installed. Install it with: pip install 'dd-pa[{extra}]'")
    _group()


def _group() -> None:
    import click  # noqa: PLC0415 - belongs to an extra

    class Commands(click.Group):
        def list_commands(self, ctx: click.Context) -> list[str]:
            return sorted(COMMANDS)

        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            if cmd_name not in COMMANDS:
                return None
            found: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
            return found

    group = Commands("dd-pa", help="Server-side events for Datadog Product Analytics.")
    click.version_option(package_name="dd-pa", prog_name="dd-pa")(group)
    group()


if __name__ == "__main__":
    main()
