"""Header fields in HPACK (RFC 7541), without a table of its own on either side: each block stands for itself.

We send literals, so that a request's fields are encoded once for all requests, and ask the peer for a table of size 0,
so that what was read once can be known by its bytes. Decoding all of each block took longer than all the rest.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from hpack import Decoder, HPACKError
from hpack.hpack import decode_integer, encode_integer

from dd_pa.network.http2.frames import MAX_BLOCK, Code, ConnectionFault, StreamFault

_SHORT = 512
"""Bytes of a block, or of one field, that is remembered."""

_NAME = re.compile(rb":?[!#$%&'*+\-.^_`|~0-9a-z]+")
_VALUE = re.compile(rb"(?![ \t])[^\x00\r\n]*(?<![ \t])")
_STATUS = re.compile("[1-9][0-9][0-9]")
_OF_CONNECTIONS = {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}

NO_TABLE = b"\x20"
"""Begins a block: we use no table any more. We never do; a peer that made it smaller is to be told so (section 4.2)."""

_DECODER = Decoder(MAX_BLOCK)
"""Its table is always empty, so that all connections share it."""
_DECODER.header_table_size = _DECODER.max_allowed_table_size = 0


class Head(NamedTuple):
    """The fields of an answer, or of its trailers."""

    status: int | None
    """None in trailers."""
    fields: Mapping[str, str]
    """By name in lower case; values of one name are joined."""


def literals(fields: Iterable[tuple[str, str]]) -> bytes:
    """Return fields as literals that nobody on the way may put into a table: one of them is a key."""
    return b"".join(b"\x10" + _text(name.encode()) + _text(value.encode()) for name, value in fields)


@functools.lru_cache(1024)
def length_literal(size: int) -> bytes:
    """Return `content-length`, by its number in the static table."""
    return b"\x0f\x0d" + _text(b"%d" % size)


def _text(text: bytes) -> bytes:  # not by hpack's encoder, which logs what it encodes
    return bytes(encode_integer(len(text), 7)) + text


def read(block: bytes) -> Head:
    """Return what a whole block says; raise `StreamFault` if it makes the answer malformed."""
    return _read_known(block) if len(block) <= _SHORT else _read(block)


def _read(block: bytes) -> Head:
    fields: dict[str, str] = {}
    size, regular = 0, False
    for field in _split(block):
        name, value = _field_known(field) if len(field) <= _SHORT else _field(field)
        size += len(name) + len(value) + 32
        if size > MAX_BLOCK:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM)
        if name[0] == ":" and (regular or name != ":status" or name in fields):
            raise StreamFault
        regular = regular or name[0] != ":"
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return _head(fields)


_read_known = functools.lru_cache(256)(_read)


def _head(fields: dict[str, str]) -> Head:
    status, length = fields.pop(":status", None), fields.get("content-length", "0")
    if not (length.isascii() and length.isdigit() and len(length) < 20):
        raise StreamFault
    if status is not None and not _STATUS.fullmatch(status):
        raise StreamFault
    return Head(None if status is None else int(status), fields)


def _field(field: bytes) -> tuple[str, str]:
    try:
        ((name, value),) = _DECODER.decode(field, raw=True)
    except (HPACKError, ValueError):
        raise ConnectionFault(Code.COMPRESSION_ERROR) from None
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value) or name in _OF_CONNECTIONS:
        raise StreamFault
    return name.decode("ascii"), value.decode("latin-1")


_field_known = functools.lru_cache(1024)(_field)


def _split(block: bytes) -> Iterator[bytes]:
    """Yield the encoded fields of a block; nothing is decoded but how long they are."""
    at, size = 0, len(block)
    try:
        while at < size and block[at] & 0xE0 == 0x20:  # the table's size, which we asked to be 0
            resized, at = _integer(block, at, 5)
            if resized:
                raise ConnectionFault(Code.COMPRESSION_ERROR)
        while at < size:
            start, first = at, block[at]
            index, at = _integer(block, at, 7 if first & 0x80 else 6 if first & 0x40 else 4)
            for _ in range(0 if first & 0x80 else 1 if index else 2):
                length, at = _integer(block, at, 7)
                at += length
            yield block[start:at]
    except (IndexError, HPACKError):
        raise ConnectionFault(Code.COMPRESSION_ERROR) from None


def _integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """Return an integer of a block, which begins in so many bits, and where it ends."""
    most = (1 << bits) - 1
    if block[at] & most < most:
        return block[at] & most, at + 1
    value, used = decode_integer(block[at : at + 6], bits)
    return value, at + used
