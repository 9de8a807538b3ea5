"""Datadog's intake from far away: TLS and HTTP/2, each answer delayed by what a round trip takes.

HTTP/2 is done by hand, as far as one client needs it, because a server in plain Python would be the bottleneck: it
takes any request, reads no header, notes the event's ticket and answers 202 to each stream that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import trustme

from benchmarks import child, sink

PREFACE, FRAME_HEAD = 24, 9
DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 4, 6, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
MOST_STREAMS = 128
"""As nginx allows on one connection."""

ANSWER = b"\x08\x03202" + b"\x0f\x10\x10application/json"
"""`:status: 202` and the content type, in HPACK."""


arrived: defaultdict[bytes, set[bytes]] = defaultdict(set)
"""Numbers of the events that came, by run: what a slow contestant still sends counts for no other."""


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


class Connection(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._skip = PREFACE

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        room_for_all = struct.pack(">I", 2**31 - 1 - 65_535)
        streams = frame(SETTINGS, 0, 0, struct.pack(">HI", 3, MOST_STREAMS))
        transport.write(streams + frame(WINDOW_UPDATE, 0, 0, room_for_all))

    def data_received(self, data: bytes) -> None:
        self._received += data
        at = self._skip
        while len(self._received) >= at + FRAME_HEAD:
            length = int.from_bytes(self._received[at : at + 3], "big")
            kind, flags, stream = struct.unpack_from(">BBI", self._received, at + 3)
            end = at + FRAME_HEAD + length
            if len(self._received) < end:
                break
            self._take(kind, flags, stream, self._received[at + FRAME_HEAD : end])
            at = end
        if at > self._skip:
            self._received, self._skip = self._received[at:], 0

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == DATA and (ticket := sink.TICKET.search(payload)):
            arrived[ticket[1]].add(ticket[2])
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            self._loop.call_later(self._delay, self._answer, stream)
        elif kind in (SETTINGS, PING) and not flags & ACK:
            self._transport.write(frame(kind, ACK, 0, payload if kind == PING else b""))

    def _answer(self, stream: int) -> None:
        head = frame(HEADERS, END_HEADERS, stream, ANSWER)
        self._transport.write(head + frame(DATA, END_STREAM, stream, b"{}"))


async def serve(port: int, count_port: int, delay: float, certificate: str) -> None:
    """Serve for ever; who names a run at `count_port` is told how many of its events have come."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    tls.set_alpn_protocols(["h2"])

    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        run = await reader.readline()
        writer.write(str(len(arrived[run.strip()])).encode())
        writer.close()

    await asyncio.start_server(tell, "127.0.0.1", count_port)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(delay), "127.0.0.1", port, ssl=tls)
    await server.serve_forever()


class FarIntake(NamedTuple):
    """A running one."""

    url: str
    ca_file: str
    count_port: int

    def arrived(self, run: str) -> int:
        """Return how many events of a run have come."""
        with socket.create_connection(("127.0.0.1", self.count_port)) as asking, asking.makefile("rw") as told:
            print(run, file=told, flush=True)
            return int(told.read())


@contextlib.contextmanager
def running(delay: float) -> Iterator[FarIntake]:
    """Run it in a process of its own."""
    authority, port, count_port = trustme.CA(), sink.free_port(), sink.free_port()
    with tempfile.TemporaryDirectory() as directory:
        ca_file, certificate = Path(directory, "ca.pem"), Path(directory, "server.pem")
        authority.cert_pem.write_to_path(str(ca_file))
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
        with sink.serving(child.command("benchmarks.far_intake", port, count_port, delay, certificate), port):
            yield FarIntake(f"https://127.0.0.1:{port}", str(ca_file), count_port)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]))
