from __future__ import annotations

from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from dd_pa.agents.server import make_server
from dd_pa.agents.tools import EmulatorTools

_MOST_BYTES = 256 * 1024
_GUARDED_BY_THE_EMULATOR = TransportSecuritySettings(enable_dns_rebinding_protection=False)


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
