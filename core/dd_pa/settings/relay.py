"""The address of a broker that carries events: `RELAY_URL`, and what `dd-pa deliver --from` takes."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, urlsplit, urlunsplit

from dd_pa.errors import SettingsError
from dd_pa.settings import checks
from dd_pa.settings.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

STREAM = "dd-pa"
"""Name of the stream, or queue, where the address gives none."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")

_ONE_DAY, _FOUR_WEEKS = 24 * 3600, 28 * 24 * 3600


class Kind(NamedTuple):
    """What is known about the brokers of one kind."""

    name: str
    extra: str
    module: str
    """What is imported; the extra brings it."""

    options: Mapping[str, range]
    """What the address's query may say, and between which bounds."""


_REDIS = Kind(
    "Redis", "redis", "redis", {"replicas": range(10), "keep": range(_FOUR_WEEKS), "trim": range(1, _FOUR_WEEKS)}
)
_NATS = Kind("NATS", "nats", "nats", {"replicas": range(1, 6)})
_RABBITMQ = Kind("RabbitMQ", "rabbitmq", "pika", {})

KINDS: Mapping[str, Kind] = {
    "redis": _REDIS,
    "rediss": _REDIS,
    "nats": _NATS,
    "tls": _NATS,
    "amqp": _RABBITMQ,
    "amqps": _RABBITMQ,
}
"""By the scheme of the address."""

SECURE = ("rediss", "tls", "amqps")
"""Schemes of those that are reached by TLS."""


class RelayAddress:
    """Where a broker is, and the stream on it. Prints without the password."""

    __slots__ = ("_url", "kind", "options", "shown", "stream")

    def __init__(self, kind: Kind, url: Secret, shown: str, stream: str, options: Mapping[str, int]) -> None:
        self.kind, self._url, self.shown = kind, url, shown
        self.stream = stream
        """Name of the stream or queue."""

        self.options = options
        """What the address's query says besides."""

    @property
    def is_secure(self) -> bool:
        """Whether the broker is reached by TLS."""
        return urlsplit(self._url.reveal()).scheme in SECURE

    def reveal(self) -> str:
        """Return the address for the client library, password included; call it where it is used."""
        return self._url.reveal()

    def __repr__(self) -> str:
        return f"RelayAddress({self.shown!r})"


def address(key: str, url: str | Secret) -> RelayAddress:
    """Return what an address says. Raises `SettingsError` under the setting's name; it never quotes the password."""
    secret = url if isinstance(url, Secret) else Secret(url)
    del url  # error reports show the local variables of every frame
    if secret.reveal() == str(secret):
        raise SettingsError(key, "is the mask of an address; settings that were copied or pickled lose it")
    parts = checks.split_url(key, secret.reveal())
    kind = KINDS.get(parts.scheme)
    if kind is None:
        raise SettingsError(key, f"{parts.scheme[:20]!r} is none of {', '.join(KINDS)}; give redis://127.0.0.1:6379")
    if not parts.hostname:
        raise SettingsError(key, f"names no host; give {parts.scheme}://host:port")
    if parts.fragment:
        raise SettingsError(key, "must have no fragment; write # in a password as %23")
    stream, options = _options(key, kind, parts.query)
    if find_spec(kind.module) is None:
        raise SettingsError(key, f"needs a client for {kind.name}: pip install 'dd-pa[{kind.extra}]'")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = host if parts.port is None else f"{host}:{parts.port}"
    path = parts.path.rstrip("/")
    return RelayAddress(
        kind,
        Secret(urlunsplit(urlsplit(secret.reveal())._replace(query=""))),
        f"{parts.scheme}://{place}{path}?stream={stream}",
        stream,
        options,
    )


def _options(key: str, kind: Kind, query: str) -> tuple[str, dict[str, int]]:
    stream, options = STREAM, {}
    for name, (value, *more) in parse_qs(query, keep_blank_values=True).items():
        if more:
            raise SettingsError(key, f"says {name[:40]!r} twice")
        if name == "stream":
            stream = value
        elif name in kind.options:
            options[name] = _number(key, name, value, kind.options[name])
        else:
            known = ", ".join(("stream", *kind.options))
            raise SettingsError(key, f"has an unknown option {name[:40]!r}; there are {known}")
    if not _NAME.fullmatch(stream):
        raise SettingsError(key, f"stream {stream[:80]!r} must be 1 to 80 letters, digits, - and _")
    return stream, options


def _number(key: str, name: str, value: str, bounds: range) -> int:
    if value.isascii() and value.isdigit() and len(value) < 12 and int(value) in bounds:
        return int(value)
    raise SettingsError(key, f"{name}={value[:20]!r} must be a number from {bounds[0]} to {bounds[-1]}")
