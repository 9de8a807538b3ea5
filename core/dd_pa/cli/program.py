"""The `dd-pa` command."""

from __future__ import annotations

import importlib
import sys

from dd_pa.cli.command_extras import COMMANDS, missing_extra


def main() -> None:
    """Run `dd-pa`; say which extra is missing instead of failing in an import."""
    missing = missing_extra(next((word for word in sys.argv[1:] if word in COMMANDS), None))
    if missing is not None:
        sys.exit(missing)
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
