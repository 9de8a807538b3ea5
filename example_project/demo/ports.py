from __future__ import annotations

import random
import socket


def is_free(port: int) -> bool:
    """Tell whether a server could listen on a port of this machine, and nobody answers there on another address."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def any_free() -> int:
    """Return a free port of those that no outgoing connection is given: it is not taken before a server listens."""
    return next(port for port in random.sample(range(15_000, 30_000), 1_000) if is_free(port))
