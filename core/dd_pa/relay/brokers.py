"""Opens what an address names; the client library is imported then."""

from __future__ import annotations

import importlib
import os
import socket
from collections.abc import Callable
from typing import Any, Protocol

from dd_pa.network.log_filter import keep_out_of_logs
from dd_pa.relay.publisher import Publisher
from dd_pa.relay.relay_letters import RelayLetters
from dd_pa.settings.relay_address import RelayAddress
from dd_pa.store.event_queue import EventQueue


class RelayQueue(EventQueue, RelayLetters, Protocol):
    """What deliverers and the command line see of a broker."""

    def is_there(self) -> bool:
        """Tell whether the stream is there. Makes nothing; blocks, and raises what the client raises."""
        ...

    def weaknesses(self) -> list[str]:
        """Say what may lose events by the way the broker is configured, as far as it tells. Blocks and raises too."""
        ...


def open_publisher(address: RelayAddress, *, ca_file: str | None, timeout: float) -> Publisher:
    """Return what publishes to a broker; it connects when it is used. Call it on the loop that will run it."""
    make: Callable[..., Publisher] = _client(address, "Publisher")
    keep_out_of_logs(address.kind.module)
    return make(address, ca_file=ca_file, timeout=timeout, name=unique_name())


def open_queue(address: RelayAddress, *, ca_file: str | None = None, timeout: float = 10.0) -> RelayQueue:
    """Return what waits on a broker; it connects when it is used, on the thread that uses it."""
    make: Callable[..., RelayQueue] = _client(address, "Queue")
    return make(address, ca_file=ca_file, timeout=timeout)


def _client(address: RelayAddress, role: str) -> Any:
    kind = address.kind.extra
    return getattr(importlib.import_module(f"dd_pa.relay.{kind}_{role.lower()}"), f"{kind.capitalize()}{role}")


def unique_name() -> str:
    """Return a name for this user of a broker, which tells an operator where it runs."""
    return f"{socket.gethostname()[:40]}-{os.getpid()}-{os.urandom(4).hex()}"
