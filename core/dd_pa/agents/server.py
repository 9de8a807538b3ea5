from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

from dd_pa.agents.tools import EmulatorTools
from dd_pa.errors import ProductAnalyticsError

_READS = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)

INSTRUCTIONS = """\
The events of the program under development, as its local Product Analytics emulator has them. Track with dd-pa, run
the program, then ask here whether the event arrived and whom it is linked to. If it is missing, get_dropped_events
says why. get_tracking_plan says which events the program declares, so that a new one gets no second name.
"""


def make_server(tools: EmulatorTools) -> MCPServer:
    """Return a server of the Model Context Protocol that offers the tools, all of them read-only."""
    server = MCPServer("dd-pa", instructions=INSTRUCTIONS)
    for tool in (
        tools.search_events,
        tools.get_dropped_events,
        tools.list_event_names,
        tools.aggregate_events,
        tools.get_funnel,
        tools.get_tracking_plan,
    ):
        server.tool(annotations=_READS)(_explaining(tool))
    return server


def _explaining(tool: Callable[..., Any]) -> Callable[..., Any]:
    """Tell the agent what went wrong; the library keeps the words of other errors to itself."""

    @functools.wraps(tool)
    def explained(*args: Any, **kwargs: Any) -> Any:
        try:
            return tool(*args, **kwargs)
        except (ProductAnalyticsError, ValueError) as error:
            raise ToolError(str(error)) from error

    return explained
