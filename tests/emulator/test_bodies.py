from __future__ import annotations

import gzip
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from dd_pa.emulator import Emulator
from dd_pa.emulator.intake.request_body import MAX_BODY
from tests.emulator.client import INTAKE, KEY, Client, event

JSON = b'{"application":{"id":"a"},"event":{"name":"n"},"type":"server","usr":{"id":"1"}}'
TOO_LARGE = "Payload too large (batch is above 5MB uncompressed)"


def raw_deflate(data: bytes) -> bytes:
    """Compress without the zlib wrapper, as some servers understand deflate."""
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        pytest.param("", JSON, id="none"),
        pytest.param("identity", JSON, id="identity"),
        pytest.param("gzip", gzip.compress(JSON), id="gzip"),
        pytest.param("X-GZip", gzip.compress(JSON), id="x-gzip"),
        pytest.param("gzip", gzip.compress(JSON[:7]) + gzip.compress(JSON[7:]), id="gzip-members"),
        pytest.param("gzip", b"".join(gzip.compress(JSON[at : at + 1]) for at in range(len(JSON))), id="gzip-letters"),
        pytest.param("gzip", gzip.compress(b"") * 999 + gzip.compress(JSON), id="gzip-empty-members"),
        pytest.param("deflate", zlib.compress(JSON), id="deflate"),
        pytest.param("x-deflate", zlib.compress(JSON), id="x-deflate"),
        pytest.param("deflate", raw_deflate(JSON), id="deflate-raw"),
    ],
)
def test_encodings(emulator: Emulator, client: Client, encoding: str, body: bytes) -> None:
    """Each promised encoding is read, and the row tells the size after inflating."""
    assert client.send(body, content_encoding=encoding).status_code == 202
    assert [event["usr"] for event in emulator.events] == [{"id": "1"}]
    row = client.get("events")["events"][0]
    detail = client.get(f"events/{row[0]}")
    assert (detail["size"], detail["request"]["encoding"]) == (len(JSON), encoding or None)


@pytest.mark.parametrize(
    ("encoding", "body", "reason"),
    [
        pytest.param("zstd", JSON, "Content-Encoding 'zstd' is not supported: use gzip, deflate or none", id="zstd"),
        pytest.param("gzip, gzip", gzip.compress(gzip.compress(JSON)), "Content-Encoding 'gzip, gzip' .*", id="twice"),
        pytest.param("gzip", JSON, "the request body is not valid gzip", id="not-gzip"),
        pytest.param("deflate", JSON, "the request body is not valid deflate", id="not-deflate"),
        pytest.param("gzip", gzip.compress(JSON)[:-4], "the gzip stream ends too early", id="cut"),
        pytest.param("gzip", b"", "the gzip stream ends too early", id="empty"),
        pytest.param(
            "gzip", gzip.compress(JSON) + b"xx", "there are bytes after the end of the gzip stream", id="trailing"
        ),
        pytest.param("gzip", gzip.compress(JSON) + gzip.compress(b"x")[:-3], "the gzip .* too early", id="cut-member"),
        pytest.param(
            "gzip",
            gzip.compress(JSON) + gzip.compress(b"x")[:10] + b"\xff" * 9,
            "there are bytes after .*",
            id="bad-member",
        ),
        pytest.param("gzip", gzip.compress(JSON) * 2, "Malformed payload: one JSON object .*", id="two-events"),
        pytest.param("gzip", gzip.compress(b"") * 1_001, "there are more than 1,000 gzip streams.*", id="many-members"),
        pytest.param(
            "deflate", zlib.compress(JSON) * 2, "there are bytes after the end of the deflate.*", id="deflates"
        ),
        pytest.param("gzip", gzip.compress(gzip.compress(JSON)), "Malformed payload: not UTF-8 at byte 1", id="nested"),
    ],
)
def test_bad_encodings(emulator: Emulator, client: Client, encoding: str, body: bytes, reason: str) -> None:
    """A body that cannot be inflated is malformed like any other: the API documents no 415."""
    response = client.send(body, content_encoding=encoding)

    assert response.status_code == 400
    assert re.fullmatch(reason, str(emulator.rejected[0].reason))


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(gzip.compress(JSON), id="gzip"),
        pytest.param(gzip.compress(JSON[:7]) + gzip.compress(JSON[7:]), id="gzip-members"),
    ],
)
def test_inflated_byte_by_byte(emulator: Emulator, client: Client, packed: bytes) -> None:
    """However the network cuts a compressed body, it is the same body."""

    def chunks() -> Iterator[bytes]:
        yield from (bytes([byte]) for byte in packed)

    headers = {"dd-api-key": KEY, "content-type": "application/json", "content-encoding": "gzip"}
    assert client.http.post(INTAKE, content=chunks(), headers=headers).status_code == 202
    assert len(emulator.events) == 1


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate"])
def test_too_large(emulator: Emulator, client: Client, encoding: str) -> None:
    """More than 5 MB after inflating is answered with 413, and the connection serves the next request."""
    body = b" " * (MAX_BODY + 1)
    packed = {"": body, "gzip": gzip.compress(body), "deflate": zlib.compress(body)}[encoding]

    response = client.send(packed, content_encoding=encoding)

    assert response.status_code == 413
    assert response.json()["errors"][0]["detail"] == TOO_LARGE
    assert client.send(event()).status_code == 202
    assert [row.status for row in emulator.rejected] == [413]


def test_too_large_in_parts(emulator: Emulator, client: Client) -> None:
    """The members of a gzip body count together, too."""
    part = gzip.compress(b" " * (MAX_BODY // 4))

    assert client.send(part * 4, content_encoding="gzip").status_code == 400
    assert client.send(part * 5, content_encoding="gzip").status_code == 413
    assert client.send(event()).status_code == 202


def test_largest(client: Client) -> None:
    """Exactly 5 MB is not too large, only too large for one event."""
    assert client.send(b" " * MAX_BODY).status_code == 400


def test_endless_chunks(emulator: Emulator, client: Client) -> None:
    """A body without a length is counted too; the answer comes when it ends."""

    def chunks() -> Iterator[bytes]:
        yield from (b" " * 1_000_000 for _ in range(50))

    headers = {"content-type": "application/json", "dd-api-key": KEY}
    response = client.http.post(INTAKE, content=chunks(), headers=headers)

    assert response.status_code == 413


BOMB = """
import asyncio, resource, sys, zlib
from dd_pa.emulator import Emulator

def bomb():
    stream = zlib.compressobj(9, zlib.DEFLATED, 31)
    for _ in range(1000):
        yield stream.compress(bytes(1_000_000))
    yield stream.flush()

packed = b"".join(bomb())

async def main():
    sent = []
    async def receive():
        return {"type": "http.request", "body": packed, "more_body": False}
    async def send(message):
        sent.append(message)
    headers = [(b"host", b"localhost"), (b"dd-api-key", b"k"), (b"content-encoding", b"gzip"),
               (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/api/v2/prodlytics", "headers": headers, "scheme": "http",
             "server": ("localhost", None), "query_string": b""}
    emulator = Emulator()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(20):
        await emulator(scope, receive, send)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(sent[0]["status"], (after - before) // 1024)

asyncio.run(main())
"""


def test_bomb(tmp_path: Path) -> None:
    """One gigabyte packed into one megabyte is cut while it is inflated: memory stays table_row_of."""
    script = tmp_path / "bomb.py"
    script.write_text(BOMB)
    done = subprocess.run([sys.executable, str(script)], check=True, capture_output=True, text=True, timeout=100)

    status, grown = done.stdout.split()
    assert status == "413"
    assert int(grown) < 32
