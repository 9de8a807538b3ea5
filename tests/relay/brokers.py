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
from collections.abc import Callable, Coroutine, Iterator, Mapping
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
from tests.relay.mock_kafka import NONE, MockKafka
from tests.waiting import wait_until

KINDS = ("redis", "nats", "rabbitmq", "kafka")
EPMD = 4369
"""The port at which Erlang's nodes of a machine are told of each other."""

STARTED = "Server startup complete"

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

    def put(self, body: bytes, headers: Mapping[str, str] = NONE) -> None:
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

    @property
    def environment(self) -> Mapping[str, str]:
        """What it is told besides."""
        return {}

    @abstractmethod
    def command(self) -> list[str]:
        """Return what is run."""

    def start(self) -> None:
        """Start it with what it has on disk."""
        with (self.folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, cwd=self.folder, env={**os.environ, **self.environment}
            )
        wait_until(self.answers, (self.folder / "log.txt").read_text)

    @abstractmethod
    def answers(self) -> bool:
        """Tell whether it takes connections."""

    def freeze(self) -> None:
        """Have it do nothing any more, with its connections open, as one does that is cut off."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def prepare(self) -> None:  # noqa: B027
        """Have it survive `kill` from now on. Most do from the start."""

    def end(self) -> None:
        """End it in order."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait()
            self._process = None

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

    def put(self, body: bytes, headers: Mapping[str, str] = NONE) -> None:
        with self.client() as client:
            client.xadd(self.stream, {**headers, "data": body})

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

    def put(self, body: bytes, headers: Mapping[str, str] = NONE) -> None:
        self.run(lambda client: client.jetstream().publish(f"{self.stream}.events", body, headers=dict(headers)))

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


class RabbitmqQueues:
    """The queues of a RabbitMQ, wherever it runs."""

    kind = "rabbitmq"
    stream: str

    @contextmanager
    def channel(self) -> Iterator[Any]:
        connection = pika.BlockingConnection(self.parameters())
        try:
            yield connection.channel()
        finally:
            connection.close()

    def parameters(self) -> pika.URLParameters:
        """Return where it is."""
        return pika.URLParameters(RABBITMQ)

    def entries(self) -> list[Entry]:
        return self._read(auto_ack=False)  # closing the connection puts them back

    def _read(self, *, auto_ack: bool) -> list[Entry]:
        found = []
        with self.channel() as channel:
            while (got := channel.basic_get(self.stream, auto_ack=auto_ack))[0] is not None:
                _, told, body = got
                found.append(Entry({"content-type": told.content_type, **(told.headers or {})}, body))
        return found

    def put(self, body: bytes, headers: Mapping[str, str] = NONE) -> None:
        told = {name: value for name, value in headers.items() if name != "content-type"}
        properties = pika.BasicProperties(headers=told, content_type=headers.get("content-type"), delivery_mode=2)
        with self.channel() as channel:
            channel.confirm_delivery()
            channel.basic_publish("", self.stream, body, properties, mandatory=True)

    def fill(self, most: int) -> None:
        with self.channel() as channel:
            limits = {"x-max-length": most, "x-overflow": "reject-publish"}
            channel.queue_declare(self.stream, durable=True, arguments={"x-queue-type": "quorum", **limits})

    def make_room(self) -> list[Entry]:
        """Read it empty, as a deliverer would: the limit is the queue's own."""
        return self._read(auto_ack=True)


class RabbitmqOfTheMachine(RabbitmqQueues):
    """A queue of a test's own on the RabbitMQ that runs here, which cannot be killed."""

    def __init__(self) -> None:
        self.stream = f"test-{uuid.uuid4().hex[:12]}"
        self.url = f"{RABBITMQ}?stream={self.stream}"
        try:
            with self.channel():
                pass
        except AMQPConnectionError:
            pytest.skip(f"needs RabbitMQ at {RABBITMQ} (TEST_RABBITMQ)")

    def remove(self) -> None:
        with self.channel() as channel:
            channel.queue_delete(self.stream)
            channel.queue_delete(f"{self.stream}-dead")


class OwnRabbitmq(RabbitmqQueues, OwnServer):
    """A node of RabbitMQ. It takes seconds to start, and asks this machine's epmd for its name."""

    kind = "rabbitmq"
    schemes = ("amqp", "amqps")

    def __init__(self, folder: Path) -> None:
        super().__init__("rabbitmq-server", folder)
        self.program = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # what the command hands over to, as another user
        self._nodes_port = free_port()
        with contextlib.closing(socket.socket()) as epmd:
            if epmd.connect_ex(("127.0.0.1", EPMD)) or not Path(self.program).exists():
                pytest.skip("needs a RabbitMQ that runs here, with its epmd")

    @property
    def user(self) -> str:
        return "guest"

    def command(self) -> list[str]:
        lines = [f"listeners.tcp.1 = 127.0.0.1:{self.port}", "loopback_users = none"]
        if self.certificates is not None:
            files = [f"certfile = {self.certificates.chain_file}", f"keyfile = {self.certificates.key_file}"]
            lines[0] = f"listeners.tcp = none\nlisteners.ssl.1 = 127.0.0.1:{self.port}"
            lines += [f"ssl_options.{line}" for line in [*files, f"cacertfile = {self.certificates.ca_file}"]]
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        (self.folder / "plugins").write_text("[].\n")
        (self.folder / "env.conf").touch()
        return [self.program]

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "HOME": str(self.folder),  # of the cookie
            "RABBITMQ_NODENAME": f"dd-pa-test-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._nodes_port),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "env.conf"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RUNNING_UNDER_SYSTEMD": "true",  # the server takes the place of the shell, and is what is killed
        }

    def parameters(self) -> pika.URLParameters:
        found = pika.URLParameters(self.url.partition("?")[0])
        if self.certificates is not None:
            context = ssl.create_default_context(cafile=self.certificates.ca_file)
            found.ssl_options = pika.SSLOptions(context, "localhost")
        return found

    def start(self) -> None:
        self._started = self._log().count(STARTED)
        super().start()

    def prepare(self) -> None:
        """Make the queues, and end once in order.

        The node writes down which quorum queues it has (`names.dets`) some time after they were made, or when it ends.
        One that is killed before has "0 registered servers" afterwards, and the queue no leader, whoever asks.
        """
        with self.channel() as channel:
            channel.queue_declare(self.stream, durable=True, arguments={"x-queue-type": "quorum"})
        self.end()
        self.start()

    def _log(self) -> str:
        path = self.folder / "log.txt"
        return path.read_text(errors="replace") if path.exists() else ""

    def answers(self) -> bool:
        """Tell by its log: who asks a port for seconds on which nobody listens may come to hold it himself."""
        return self._log().count(STARTED) > self._started


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


OwnBroker = OwnRedis | OwnNats | OwnRabbitmq
OWN: Mapping[str, Callable[[Path], OwnBroker]] = {"redis": OwnRedis, "nats": OwnNats, "rabbitmq": OwnRabbitmq}


@contextmanager
def own_server(kind: str, folder: Path) -> Iterator[OwnBroker]:
    """Start a broker that may be killed; this machine's RabbitMQ may not."""
    own = OWN[kind](folder)
    own.start()
    try:
        yield own
    finally:
        own.kill()
