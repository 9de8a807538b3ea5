"""Which commands `dd-pa` has, and which extra each needs to be installed (`pip install 'dd-pa[cli]'`)."""

from __future__ import annotations

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


def missing_extra(name: str | None) -> str | None:
    """Say what to install for a command, or for `dd-pa` itself; None if everything is there."""
    missing = find_spec("click") is None
    if name is not None:
        missing = missing or any(find_spec(module) is None for module in COMMANDS[name][2:])
    if not missing:
        return None
    command, extra = (f"dd-pa {name}", COMMANDS[name][1]) if name else ("dd-pa", "cli")
    return f"{command}: not installed. Install it with: pip install 'dd-pa[{extra}]'"
