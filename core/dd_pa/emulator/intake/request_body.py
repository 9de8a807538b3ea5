"""Read a request body: counted and inflated while it arrives, so that no bomb is ever held in memory."""

from __future__ import annotations

import asyncio
import zlib

from starlette.types import Receive

from dd_pa.emulator.http.answers import Refusal

MAX_BODY = 5_000_000
"""Bytes after inflating, the documented "above 5MB uncompressed" read narrowly: what passes here passes there."""

MAX_DRAINED = 1 << 30
"""Bytes read on after a refusal, so that the client gets to see the answer instead of a reset connection."""

MAX_MEMBERS = 1_000
"""gzip streams one after the other in a body; each costs, also when there is nothing in it."""

_GZIP = 31
_WINDOW_BITS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": 15, "x-deflate": 15}


class Disconnected(Exception):  # noqa: N818 - the client's doing, nobody is to blame
    """The client went away before its body was complete."""


async def read_body(receive: Receive, encoding: str, deadline: float) -> bytes:
    """Return the inflated body.

    Raises Refusal: 400 for an encoding or data we cannot inflate, 413 above MAX_BODY, 408 when the body is not complete
    after `deadline` seconds. Raises Disconnected.
    """
    collector = _Collector(encoding)
    try:
        async with asyncio.timeout(deadline):
            while await _take(receive, collector):
                pass
    except TimeoutError:
        reason = f"the request body was not complete after {deadline:g} s"
        raise collector.refusal or Refusal(408, reason) from None
    return collector.finish()


def inflate(raw: bytes, encoding: str) -> bytes:
    """Return a body that came whole, inflated. Raises Refusal: 400 for data we cannot inflate, 413 above MAX_BODY."""
    collector = _Collector(encoding)
    collector.feed(raw)
    return collector.finish()


async def _take(receive: Receive, collector: _Collector) -> bool:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    collector.feed(message.get("body", b""))
    return bool(message.get("more_body", False)) and collector.drained <= MAX_DRAINED


class _Collector:
    """Takes chunks; after the first refusal it only counts them."""

    def __init__(self, encoding: str) -> None:
        self.refusal: Refusal | None = None
        self.drained = 0
        self._chunks: list[bytes] = []
        self._size = 0
        self._inflater: _Inflater | None = None
        try:
            self._inflater = _inflater(encoding)
        except Refusal as refusal:
            self.refusal = refusal

    def feed(self, chunk: bytes) -> None:
        if self.refusal:
            self.drained += len(chunk)
            return
        try:
            self._keep(self._inflater.feed(chunk, MAX_BODY + 1 - self._size) if self._inflater else chunk)
        except Refusal as refusal:
            self.refusal = refusal
            self._chunks.clear()

    def _keep(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > MAX_BODY:
            raise Refusal(413, "Payload too large (batch is above 5MB uncompressed)")
        self._chunks.append(chunk)

    def finish(self) -> bytes:
        if self.refusal:
            raise self.refusal
        if self._inflater:
            self._inflater.finish()
        return b"".join(self._chunks)


def _inflater(encoding: str) -> _Inflater | None:
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return None
    if name not in _WINDOW_BITS:
        # The API documents no 415, so an encoding nobody can read is a malformed payload like any other.
        raise Refusal(400, f"Content-Encoding {encoding[:100]!r} is not supported: use gzip, deflate or none")
    return _Inflater(name)


class _Inflater:
    """One zlib stream, or the members of a gzip file one after the other (RFC 1952).

    deflate may be wrapped (RFC 1950) or raw (RFC 1951), as browsers and servers accept both.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._head = b""
        self._stream: zlib._Decompress | None = None
        self._members = 1

    def feed(self, chunk: bytes, limit: int) -> bytes:
        """Inflate at most `limit` (1 or more) bytes."""
        if self._stream is None:
            self._head += chunk
            if len(self._head) < 2:
                return b""
            chunk, self._head = self._head, b""
            self._stream = zlib.decompressobj(self._window_bits(chunk))
        inflated = b""
        while chunk and len(inflated) < limit:
            inflated += self._inflate(self._begun(), chunk, limit - len(inflated))
            chunk = self._stream.unused_data
        return inflated

    def _begun(self) -> zlib._Decompress:
        """Return the stream to go on with, the next member's after the end of one."""
        assert self._stream is not None  # noqa: S101 - feed made one
        if self._stream.eof:
            self._members += 1
            if _WINDOW_BITS[self._name] != _GZIP:
                raise Refusal(400, f"there are bytes after the end of the {self._name} stream")
            if self._members > MAX_MEMBERS:
                raise Refusal(400, f"there are more than {MAX_MEMBERS:,} {self._name} streams in the body")
            self._stream = zlib.decompressobj(_GZIP)
        return self._stream

    def _inflate(self, stream: zlib._Decompress, chunk: bytes, limit: int) -> bytes:
        try:
            return stream.decompress(chunk, limit)
        except zlib.error:
            first = self._members == 1
            what = "the request body is not valid" if first else "there are bytes after the end of the"
            raise Refusal(400, f"{what} {self._name}{'' if first else ' stream'}") from None

    def _window_bits(self, head: bytes) -> int:
        bits = _WINDOW_BITS[self._name]
        wrapped = head[0] & 15 == 8 and (head[0] << 8 | head[1]) % 31 == 0
        return -15 if bits == 15 and not wrapped else bits

    def finish(self) -> None:
        if self._stream is None or not self._stream.eof:
            raise Refusal(400, f"the {self._name} stream ends too early")
