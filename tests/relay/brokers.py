"""Brokers for tests: Redis and NATS of a test's own, which it may kill, a queue on this machine's RabbitMQ, and
a mock of Kafka."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import nats
import pika
import pytest
import redis
from nats.aio.client import Client
from nats.js.api import DiscardPolicy, RetentionPolicy, StreamConfig
from pika.exceptions import AMQPConnectionError

from tests.core.tls_intake import Certificates
from tests.relay.entry import Entry
from tests.relay.mock_kafka import MockKafka
from tests.waiting import wait_until

KINDS = ("redis", "nats", "rabbitmq", "kafka")
RABBITMQ = os.environ.get("TEST_RABBITMQ", "amqp://guest:guest@127.0.0.1:5672")


class Broker(Protocol):
    """What the tests ask of each kind."""

    kind: str
    stream: str

    @property
    def url(self) -> str:
        """Return its address, as settings have it."""
        ...

    def entries(self) -> list[Entry]:
        """Look at all messages, oldest first; nobody else must read meanwhile."""
        ...

    def put(self, body: bytes) -> None:
        """Add a message that no publisher of ours has made."""
        ...

    def fill(self, most: int) -> None:
        """Have the broker take no more than so many messages, if it has not made the stream yet."""
        ...

    def make_room(self) -> list[Entry]:
        """Take the limit away or, where that cannot be, the messages; return those."""
        ...


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class OwnServer(ABC):
    """A server that a test starts and kills."""

    kind: str
    schemes: tuple[str, str]
    """Of an address without TLS, and with it."""

    def __init__(self, program: str, folder: Path) -> None:
        found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
        if found is None:
            pytest.skip(f"needs {program}")
        self.program, self.folder, self.port = found, folder, free_port()
        self.stream = "events"
        self.password: str | None = None
        """What the next start asks of clients."""

        self.certificates: Certificates | None = None
        """What it is reached by TLS with, if it is."""

        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, as settings have it."""
        user = "" if self.password is None else f"{self.user}:{self.password}@"
        return f"{self.schemes[self.certificates is not None]}://{user}localhost:{self.port}?stream={self.stream}"

    @property
    def user(self) -> str:
        """Who may do everything."""
        return "default"

    @abstractmethod
    def command(self) -> list[str]:
        """Return what is run."""

    def start(self) -> None:
        """Start it with what it has on disk."""
        with (self.folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=self.folder)
        wait_until(self.answers, (self.folder / "log.txt").read_text)

    @abstractmethod
    def answers(self) -> bool:
        """Tell whether it takes connections."""

    def freeze(self) -> None:
        """Have it do nothing any more, with its connections open, as one does that is cut off."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


class OwnRedis(OwnServer):
    """Redis that writes each command to its disk."""

    kind = "redis"
    schemes = ("redis", "rediss")

    def __init__(self, folder: Path) -> None:
        super().__init__("redis-server", folder)

    def command(self) -> list[str]:
        disk = ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--dir", str(self.folder)]
        access = [] if self.password is None else ["--requirepass", self.password]
        port = ["--port", str(self.port)]
        if self.certificates is not None:
            files = ["--tls-cert-file", self.certificates.chain_file, "--tls-key-file", self.certificates.key_file]
            port = ["--port", "0", "--tls-port", str(self.port), *files, "--tls-auth-clients", "no"]
        return [self.program, *port, "--bind", "127.0.0.1", *disk, *access]

    def answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def client(self, **options: Any) -> redis.Redis:
        if self.certificates is not None:
            options |= {"ssl": True, "ssl_ca_certs": self.certificates.ca_file}
        return redis.Redis("localhost", self.port, password=self.password, **options)

    def entries(self) -> list[Entry]:
        with self.client() as client:
            found: Any = client.xrange(self.stream)
        return [
            Entry(
                {name.decode(): value.decode() for name, value in members.items() if name != b"data"}, members[b"data"]
            )
            for _, members in found
        ]

    def put(self, body: bytes) -> None:
        with self.client() as client:
            client.xadd(self.stream, {"data": body})

    def fill(self, most: int) -> None:
        with self.client() as client:
            client.config_set("maxmemory", "1")

    def make_room(self) -> list[Entry]:
        with self.client() as client:
            client.config_set("maxmemory", "0")
        return []


class OwnNats(OwnServer):
    """NATS with JetStream."""

    kind = "nats"
    schemes = ("nats", "tls")

    def __init__(self, folder: Path) -> None:
        super().__init__("nats-server", folder)

    def command(self) -> list[str]:
        access = [] if self.password is None else ["--user", self.user, "--pass", self.password]
        if self.certificates is not None:
            access += ["--tls", "--tlscert", self.certificates.chain_file, "--tlskey", self.certificates.key_file]
        disk = ["-js", "-sd", str(self.folder / "js")]
        return [self.program, "-a", "127.0.0.1", "-p", str(self.port), *disk, *access]

    def answers(self) -> bool:
        with contextlib.suppress(Exception):
            socket.create_connection(("127.0.0.1", self.port)).close()  # the client waits before it says that it cannot
            self.run(lambda client: client.jetstream().account_info())
            return True
        return False

    def run(self, work: Callable[[Client], Coroutine[Any, Any, Any]]) -> Any:
        async def connected() -> Any:
            async def quiet(error: Exception) -> None:
                """Say nothing: what fails raises."""

            options: dict[str, Any] = {"allow_reconnect": False, "max_reconnect_attempts": 0, "error_cb": quiet}
            if self.certificates is not None:
                options["tls"] = ssl.create_default_context(cafile=self.certificates.ca_file)
            client = await nats.connect(self.url.partition("?")[0], **options)
            try:
                return await work(client)
            finally:
                await client.close()

        return asyncio.run(connected())

    def entries(self) -> list[Entry]:
        async def read(client: Client) -> list[Entry]:
            jetstream = client.jetstream()
            state = (await jetstream.stream_info(self.stream)).state
            numbers = range(state.first_seq, state.last_seq + 1)
            messages = [await jetstream.get_msg(self.stream, number) for number in numbers]
            return [Entry(message.headers or {}, message.data or b"") for message in messages]

        found: list[Entry] = self.run(read)
        return found

    def put(self, body: bytes) -> None:
        self.run(lambda client: client.jetstream().publish(f"{self.stream}.events", body))

    def fill(self, most: int) -> None:
        self._configure(most)

    def make_room(self) -> list[Entry]:
        self._configure(-1)
        return []

    def _configure(self, most: int) -> None:
        config = StreamConfig(
            name=self.stream,
            subjects=[f"{self.stream}.events"],
            retention=RetentionPolicy.WORK_QUEUE,
            discard=DiscardPolicy.NEW,
            max_msgs=most,
        )
        add = most >= 0
        self.run(lambda client: (client.jetstream().add_stream if add else client.jetstream().update_stream)(config))


class RabbitmqOfTheMachine:
    """A queue of a test's own on the RabbitMQ that runs here, which cannot be killed."""

    kind = "rabbitmq"

    def __init__(self) -> None:
        self.stream = f"test-{uuid.uuid4().hex[:12]}"
        self.url = f"{RABBITMQ}?stream={self.stream}"
        try:
            with self.channel():
                pass
        except AMQPConnectionError:
            pytest.skip(f"needs RabbitMQ at {RABBITMQ} (TEST_RABBITMQ)")

    @contextmanager
    def channel(self) -> Iterator[Any]:
        connection = pika.BlockingConnection(pika.URLParameters(RABBITMQ))
        try:
            yield connection.channel()
        finally:
            connection.close()

    def entries(self) -> list[Entry]:
        return self._read(auto_ack=False)  # closing the connection puts them back

    def _read(self, *, auto_ack: bool) -> list[Entry]:
        found = []
        with self.channel() as channel:
            while (got := channel.basic_get(self.stream, auto_ack=auto_ack))[0] is not None:
                _, told, body = got
                found.append(Entry({"content-type": told.content_type, **(told.headers or {})}, body))
        return found

    def put(self, body: bytes) -> None:
        with self.channel() as channel:
            channel.confirm_delivery()
            channel.basic_publish("", self.stream, body, mandatory=True)

    def fill(self, most: int) -> None:
        with self.channel() as channel:
            limits = {"x-max-length": most, "x-overflow": "reject-publish"}
            channel.queue_declare(self.stream, durable=True, arguments={"x-queue-type": "quorum", **limits})

    def make_room(self) -> list[Entry]:
        """Read it empty, as a deliverer would: the limit is the queue's own."""
        return self._read(auto_ack=True)

    def remove(self) -> None:
        with self.channel() as channel:
            channel.queue_delete(self.stream)
            channel.queue_delete(f"{self.stream}-dead")


@contextmanager
def broker_of(kind: str, folder: Path) -> Iterator[Broker]:
    """Start a broker, and end it; skip the test where there is none."""
    if kind in ("redis", "nats"):
        with own_server(kind, folder) as own:
            yield own
        return
    found = RabbitmqOfTheMachine() if kind == "rabbitmq" else MockKafka()
    try:
        yield found
    finally:
        found.remove()


@contextmanager
def own_server(kind: str, folder: Path) -> Iterator[OwnRedis | OwnNats]:
    """Start a broker that may be killed; this machine's RabbitMQ may not."""
    own = (OwnRedis if kind == "redis" else OwnNats)(folder)
    own.start()
    try:
        yield own
    finally:
        own.kill()
