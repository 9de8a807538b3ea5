"""The queues of RabbitMQ that carry events, and what a message of theirs looks like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pika import BasicProperties, SSLOptions, URLParameters

from dd_pa.network.tls_trust import broker_tls_context
from dd_pa.relay.cloud_event import CONTENT_TYPE
from dd_pa.settings.relay_address import RelayAddress

PREFIX = "cloudEvents:"
"""What CloudEvents' binding for AMQP puts before the names of attributes."""

QUORUM: Mapping[str, Any] = {"x-queue-type": "quorum"}
"""Arguments of the queue of events: kept on disk, by several nodes where there are several."""


def connection_parameters(address: RelayAddress, ca_file: str | None, name: str) -> URLParameters:
    """Return where and how to connect; `name` is what the broker's operators see."""
    parameters = URLParameters(address.reveal())
    if address.is_secure:
        parameters.ssl_options = SSLOptions(broker_tls_context(ca_file), parameters.host)
    parameters.client_properties = {"connection_name": f"dd-pa {name}"}
    return parameters


def dead_queue(name: str) -> str:
    """Return the name of the queue of dead letters."""
    return f"{name}-dead"


def properties(headers: Mapping[str, str], event_id: str) -> BasicProperties:
    """Return what goes beside an event."""
    told = {name: value for name, value in headers.items() if name != "content-type"}
    return BasicProperties(content_type=CONTENT_TYPE, headers=told, message_id=event_id, delivery_mode=2)
