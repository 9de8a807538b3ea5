"""Where the real brokers are, and what their names are told apart by."""

from __future__ import annotations

import os
import socket
from uuid import uuid4

import pytest

REDIS = os.environ.get("TEST_REDIS", "127.0.0.1:6379")
RABBITMQ = os.environ.get("TEST_RABBITMQ", "127.0.0.1:5672")


def is_reachable(address: str) -> bool:
    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
    except OSError:
        return False
    return True


def require_redis() -> str:
    """Return the address, or skip."""
    if not is_reachable(REDIS):
        pytest.skip(f"needs Redis at {REDIS} (TEST_REDIS)")
    return REDIS


def require_rabbitmq() -> str:
    """Return the address, or skip."""
    if not is_reachable(RABBITMQ):
        pytest.skip(f"needs RabbitMQ at {RABBITMQ} (TEST_RABBITMQ)")
    return RABBITMQ


def fresh_name() -> str:
    """Return a name that nobody else uses, for a queue or a namespace."""
    return f"dd-pa-jobs-{uuid4().hex[:12]}"
