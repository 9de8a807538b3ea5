"""A server that takes whatever an SDK sends, and answers what that SDK takes for success.

It reads the tickets out of the bodies, whatever they are packed in, so that it can say how many events arrived.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import gzip
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from typing import Any

TICKET = re.compile(rb"ticket-([a-z0-9]+)-(\d+)")
PACKED = re.compile(rb"[A-Za-z0-9_/+-]{40,}={0,2}")
DELAY, HANGS = float(os.environ.get("SINK_DELAY", "0")), "SINK_HANGS" in os.environ

PATIENCE = 5.0
"""Seconds that a server may take to end."""

ANSWERS = {"/api/v2/prodlytics": (202, b"{}"), "/2/httpapi": (200, b'{"code":200}'), "/track": (200, b'{"status":1}')}

arrived: dict[str, Counter[int]] = {}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Read the request to its end, count its tickets and answer."""
    if scope["type"] != "http":
        return
    body = await _read(receive)
    status, answer = ANSWERS.get(scope["path"], (200, b"{}"))
    if scope["method"] == "GET":
        answer = _arrived(scope["query_string"].decode())
    else:
        _count(body)
        await asyncio.sleep(1e6 if HANGS else DELAY)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def _read(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _count(body: bytes) -> None:
    plain = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    found = TICKET.findall(plain) or [ticket for text in _unpacked(plain) for ticket in TICKET.findall(text)]
    for run, number in found:
        arrived.setdefault(run.decode(), Counter())[int(number)] += 1


def _unpacked(plain: bytes) -> Iterator[bytes]:
    """Give what is packed in base64, as Snowplow does it."""
    for text in PACKED.findall(plain):
        with contextlib.suppress(binascii.Error):
            yield base64.urlsafe_b64decode(text + b"==")


def _arrived(run: str) -> bytes:
    numbers = arrived.get(run, Counter())
    return json.dumps([len(numbers), numbers.total() - len(numbers)]).encode()


def ask(url: str, run: str) -> tuple[int, int]:
    """Return how many different events of a run have arrived, and how many came again."""
    with urllib.request.urlopen(f"{url}/arrived?{urllib.parse.quote(run)}", timeout=10) as answer:  # noqa: S310 - ours
        different, again = json.load(answer)
    return different, again


@contextlib.contextmanager
def running(*, delay: float = 0.0, hangs: bool = False) -> Iterator[str]:
    """Run the sink in a process of its own, so that its work is not measured; give its base URL.

    It answers after `delay` seconds, or never.
    """
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "benchmarks.sink:app", "--port", str(port), "--log-level", "critical"]
    environ = {**os.environ, "SINK_DELAY": str(delay), **({"SINK_HANGS": "1"} if hangs else {})}
    with serving(command, port, environ):
        yield f"http://127.0.0.1:{port}"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextlib.contextmanager
def serving(command: list[str], port: int, environ: dict[str, str] | None = None) -> Iterator[int]:
    """Run a server for the time of the block, which begins when it listens; give its process id."""
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(server, port)
            yield server.pid
        finally:
            server.terminate()  # in order: a server's own children end with it, and are counted as its
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(PATIENCE)
            server.kill()


def _wait_for(server: subprocess.Popen[bytes], port: int) -> None:
    while server.poll() is None:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.01)  # else this loop takes the core that the server needs to start
    raise RuntimeError(f"{server.args!r} does not listen on port {port}")
