"""An intake over TLS and HTTP/2, on hypercorn, in a process of its own: `python h2_intake.py CHAIN KEY OPTIONS`.

Prints its port, then a line for each event before it is answered. Events named `hang` are never answered. `OPTIONS` are
hypercorn's, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, Scope


def say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return
        body, more = body + message["body"], message["more_body"]
    event = json.loads(body)
    say({"event": event, "version": scope["http_version"], "client": scope["client"]})
    if event["event"]["name"] == "hang":
        await asyncio.sleep(600)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 202, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": b"{}", "more_body": False})


def main(chain_file: str, key_file: str, options: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    config = Config()
    config.certfile, config.keyfile, config.loglevel = chain_file, key_file, "CRITICAL"
    for name, value in json.loads(options).items():
        setattr(config, name, value)
    say({"port": listener.getsockname()[1]})
    config.bind = [f"fd://{listener.detach()}"]
    asyncio.run(serve(app, config))


if __name__ == "__main__":
    main(*sys.argv[1:])
