"""What TLS adds to the ways in which a peer may begin and end (RFC 9113, sections 3.2, 3.4 and 9.2)."""

from __future__ import annotations

import asyncio
import socket
import ssl

import pytest
import trustme

from dd_pa.network.http2 import Answer, Failure
from dd_pa.network.tls_trust import tls_context
from tests.http2.peer import Wire, client, well_behaved

Contexts = tuple[ssl.SSLContext, ssl.SSLContext]


def contexts(*protocols: str) -> Contexts:
    """Return a peer's context, which offers such protocols, and a client's."""
    authority = trustme.CA()
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(theirs)
    authority.configure_trust(ours)
    ours.set_alpn_protocols(["h2", "http/1.1"])
    if protocols:
        theirs.set_alpn_protocols(list(protocols))
    return theirs, ours


def test_what_is_agreed_on_in_tls() -> None:
    """Neither the old versions nor what HTTP/2 forbids of TLS 1.2 (RFC 9113, section 9.2.1)."""
    tls = tls_context(None)

    assert tls.minimum_version == ssl.TLSVersion.TLSv1_2
    assert tls.options & ssl.OP_NO_RENEGOTIATION
    assert tls.options & ssl.OP_NO_COMPRESSION


@pytest.mark.asyncio
async def test_http2_is_negotiated() -> None:
    async with client(well_behaved, tls=contexts("h2")) as posting:
        [answer] = await posting.post(b"{}")

    assert isinstance(answer, Answer)


@pytest.mark.asyncio
@pytest.mark.parametrize("offered", [(), ("http/1.1",), ("spdy/3",)], ids=["nothing", "HTTP/1.1", "another"])
async def test_a_server_that_negotiates_no_http2_hears_none(offered: tuple[str, ...]) -> None:
    """Not even the preface: it would take it for a request."""
    heard: list[bytes] = []

    async def script(wire: Wire) -> None:
        heard.append(await wire.reader.read())

    async with client(script, tls=contexts(*offered)) as posting:
        assert await posting.post(b"1", b"2") == [Failure.HTTP1, Failure.HTTP1]
    assert not any(heard)


@pytest.mark.asyncio
async def test_a_server_that_negotiates_http2_and_speaks_http1() -> None:
    """It is broken, and another connection may be better; no request has left."""

    async def script(wire: Wire) -> None:
        wire.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        await wire.until_the_end()

    async with client(script, script, well_behaved, tls=contexts("h2")) as posting:
        assert await posting.post(b"1") == [Failure.CONNECT]
        [answer] = await posting.post(b"2")

    assert isinstance(answer, Answer)


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["end of TLS", "end of the socket", "reset"])
async def test_a_peer_that_ends_half_of_the_connection(how: str) -> None:
    """It reads on, but will never answer: what is in flight is lost at once, and the next goes elsewhere."""

    async def script(wire: Wire) -> None:
        await wire.hello()
        await wire.request()
        if how == "end of TLS":
            wire.writer.transport.close()
        elif how == "end of the socket":
            sock = socket.socket(fileno=socket.dup(wire.writer.get_extra_info("socket").fileno()))
            with sock:
                sock.shutdown(socket.SHUT_WR)
        else:
            wire.writer.transport.abort()
        await wire.until_the_end()

    async with client(script, well_behaved, timeout=20.0, tls=contexts("h2")) as posting:
        async with asyncio.timeout(10):
            assert await posting.post(b"1", b"2") == [Failure.LOST, Failure.LOST]
        [answer] = await posting.post(b"3")

    assert isinstance(answer, Answer)


@pytest.mark.asyncio
async def test_a_handshake_that_never_ends() -> None:
    """A server that takes connections and says nothing in TLS."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with client(well_behaved, timeout=0.3, tls=contexts("h2")) as posting:
            posting.origin._port = silent.getsockname()[1]
            assert await posting.post(b"1") == [Failure.CONNECT_TIMEOUT]
