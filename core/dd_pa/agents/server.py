from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import ToolAnnotations
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from dd_pa.agents.tools import EmulatorTools
from dd_pa.errors import ProductAnalyticsError

_READS = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
_MOST_BYTES = 256 * 1024
_GUARDED_BY_THE_EMULATOR = TransportSecuritySettings(enable_dns_rebinding_protection=False)

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


class HTTPEntrance:
    """The tools over the protocol's streamable HTTP, as an ASGI app: each POST is answered by one piece of JSON.

    Nothing is kept between requests, so no client can leave anything behind. Who serves it checks Host and Origin.
    """

    def __init__(self, tools: EmulatorTools) -> None:
        self._server = make_server(tools)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; a stream of messages of ours (GET) is not offered, as the tools send none."""
        if scope["method"] != "POST":
            await PlainTextResponse("POST only", 405, {"allow": "POST"})(scope, receive, send)
            return
        app = self._server.streamable_http_app(
            streamable_http_path=scope["path"],
            json_response=True,
            stateless_http=True,
            max_request_body_size=_MOST_BYTES,
            transport_security=_GUARDED_BY_THE_EMULATOR,
        )
        async with app.router.lifespan_context(app):
            await app(scope, receive, send)
