"""A connection that is given up leaves nothing behind, in whatever state the server is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from dd_pa.relay.nats_connection import NatsConnection
from dd_pa.relay.nats_queue import NatsQueue
from dd_pa.settings.relay_address import address
from tests.relay.brokers import OwnNats, own_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OwnNats]:
    with own_server("nats", tmp_path) as found:
        assert isinstance(found, OwnNats)
        yield found


async def connected(server: OwnNats) -> NatsConnection:
    connection = await NatsConnection.open(address("RELAY_URL", server.url), ca_file=None, timeout=10.0)
    await connection.jetstream.publish_async(connection.subject, b"{}")
    return connection


async def fill(connection: NatsConnection) -> None:
    """Send until the client waits for the server to take something."""
    while True:
        sending = asyncio.ensure_future(connection.client.publish(connection.subject, bytes(1_000_000)))
        _, waits = await asyncio.wait({sending}, timeout=0.5)
        if waits:
            sending.cancel()
            return


def everything_has_ended(connection: NatsConnection) -> bool:
    return connection.closed.is_set() and asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("last_words", ["freeze", "kill"])
def test_nothing_is_left_of_a_connection_that_could_not_be_ended_in_order(server: OwnNats, last_words: str) -> None:
    async def given_up() -> None:
        connection = await connected(server)
        server.freeze()
        await fill(connection)
        if last_words == "kill":
            server.kill()
            await connection.closed.wait()
        await connection.close()
        await asyncio.sleep(0)
        assert everything_has_ended(connection)

    asyncio.run(given_up())


def test_what_is_asked_of_a_server_that_dies_fails_at_once(server: OwnNats) -> None:
    queue = NatsQueue(address("--from", server.url), ca_file=None, timeout=3600.0)
    assert queue.oldest() is None
    server.kill()
    with pytest.raises(OSError, match="ended"):
        queue.oldest()
    server.start()
    queue.reset()
    assert queue.oldest() is None
    queue.close()
