"""How Kafka is reached, and what a message of ours looks like there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

from dd_pa.settings.relay_address import RelayAddress

if TYPE_CHECKING:
    from confluent_kafka import Message

PREFIX = "ce_"
"""What CloudEvents' binding for Kafka puts before the names of attributes."""

GROUP = "dd-pa"
"""Name of the consumer group of those who deliver."""

RECONNECT = 1_000
"""Most milliseconds between two attempts to reach a broker; the client's default is 10 seconds."""


MOST_BYTES = 100_000_000
"""Of a message before it is compressed: brokers decide, who look at it compressed. Requests stay at a megabyte."""


def client_options(address: RelayAddress, ca_file: str | None, name: str) -> dict[str, Any]:
    """Return what every client is told; `name` is what the brokers' operators see."""
    options: dict[str, Any] = {
        "bootstrap.servers": ",".join(address.hosts),
        "client.id": f"dd-pa-{name}",
        "reconnect.backoff.max.ms": RECONNECT,
        "log_level": 0,  # what fails is said by us, once per interval
        "ssl.endpoint.identification.algorithm": "https",
    }
    if address.is_secure and ca_file:
        options["ssl.ca.location"] = ca_file
    parts = urlsplit(address.reveal())
    if parts.username and parts.password:
        options["sasl.mechanism"] = address.words.get("sasl", "plain").upper()
        options["sasl.username"], options["sasl.password"] = unquote(parts.username), unquote(parts.password)
    transport = "SSL" if address.is_secure else "PLAINTEXT"
    options["security.protocol"] = f"SASL_{transport}" if "sasl.username" in options else transport
    return options


def producer_options(address: RelayAddress, ca_file: str | None, name: str, timeout: float) -> dict[str, Any]:
    """Return what producers are told: each message confirmed by all replicas that are in sync, in order, once.

    `timeout` is how many seconds the client may try for; it looks at what has timed out once a second.
    """
    return {
        **client_options(address, ca_file, name),
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 2,
        "compression.type": "lz4",
        "message.max.bytes": MOST_BYTES,
        "partitioner": "murmur2_random",  # that of Java's clients
        "message.timeout.ms": max(500, int(1000 * max(timeout - 1.5, timeout / 2))),
        "topic.metadata.propagation.max.ms": max(500, int(timeout * 300)),
    }


def dead_topic(address: RelayAddress) -> str:
    """Return the name of the topic of dead letters."""
    return f"{address.stream}-dead"


def headers_of(message: Message) -> dict[str, str]:
    """Return a message's headers as texts; of one that is there twice the last."""
    told = message.headers() or {}
    return {
        name: value if isinstance(value, str) else (value or b"").decode("utf-8", "replace")
        for name, value in (told.items() if isinstance(told, dict) else told)
    }


def pairs(headers: Mapping[str, str]) -> list[tuple[str, str | bytes | None]]:
    """Return headers as the client takes them."""
    return cast("list[tuple[str, str | bytes | None]]", list(headers.items()))
