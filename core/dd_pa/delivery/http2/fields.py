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

from dd_pa.delivery.http2.frames import MAX_BLOCK, Code, ConnectionFault, StreamFault

_SHORT = 512
"""Bytes of a block, or of one field, that is remembered."""

_NAME = re.compile(rb":?[!#$%&'*+\-.^_`|~0-9a-z]+")
_VALUE = re.compile(rb"(?![ \t])[^\x00\r\n]*(?<![ \t])")
_STATUS = re.compile("[1-9][0-9][0-9]")
_OF_CONNECTIONS = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}


class Head(NamedTuple):
    """The fields of an answer, or of its trailers."""

    status: int | None
    """None in trailers."""
    fields: Mapping[str, str]
    """By name in lower case; values of one name are joined."""
    length: int | None
    """`content-length`."""


def literals(fields: Iterable[tuple[str, str]]) -> bytes:
    """Return fields as literals that nobody on the way may put into a table: one of them is a key."""
    return b"".join(b"\x10" + _text(name.encode()) + _text(value.encode()) for name, value in fields)


@functools.lru_cache(1024)
def length_literal(size: int) -> bytes:
    """Return `content-length`, by its number in the static table."""
    return b"\x0f\x0d" + _text(b"%d" % size)


def _text(text: bytes) -> bytes:  # hpack's encoder would log what it encodes
    size = len(text)
    if size < 0x7F:
        return bytes((size,)) + text
    size -= 0x7F
    more = []
    while size > 0x7F:
        more.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes((0x7F, *more, size)) + text


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
    status, length = fields.pop(":status", None), fields.get("content-length")
    if status is not None and not _STATUS.fullmatch(status):
        raise StreamFault
    if length is not None and not (length.isascii() and length.isdigit() and len(length) < 20):
        raise StreamFault
    return Head(None if status is None else int(status), fields, None if length is None else int(length))


def _field(field: bytes) -> tuple[str, str]:
    decoder = Decoder(MAX_BLOCK)
    decoder.header_table_size = decoder.max_allowed_table_size = 0
    try:
        ((name, value),) = decoder.decode(field, raw=True)
    except (HPACKError, ValueError):
        raise ConnectionFault(Code.COMPRESSION_ERROR) from None
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise StreamFault
    text = name.decode("ascii")
    if text in _OF_CONNECTIONS:
        raise StreamFault
    return text, value.decode("latin-1")


_field_known = functools.lru_cache(1024)(_field)


def _split(block: bytes) -> Iterator[bytes]:
    """Yield the encoded fields of a block; nothing is decoded but how long they are."""
    at, size = 0, len(block)
    try:
        while at < size and block[at] & 0xE0 == 0x20:  # the table's size, which we asked to be 0
            resized, at = _integer(block, at, 0x1F)
            if resized:
                raise ConnectionFault(Code.COMPRESSION_ERROR)
        while at < size:
            start, first = at, block[at]
            index, at = _integer(block, at, 0x7F if first & 0x80 else 0x3F if first & 0x40 else 0x0F)
            for _ in range(0 if first & 0x80 else 1 if index else 2):
                length, at = _integer(block, at, 0x7F)
                at += length
            yield block[start:at]
    except IndexError:
        raise ConnectionFault(Code.COMPRESSION_ERROR) from None


def _integer(block: bytes, at: int, mask: int) -> tuple[int, int]:
    """Return an integer of a block and where it ends."""
    value = block[at] & mask
    at += 1
    if value < mask:
        return value, at
    for shift in (0, 7, 14):
        value += (block[at] & 0x7F) << shift
        at += 1
        if block[at - 1] < 0x80:
            return value, at
    raise IndexError
