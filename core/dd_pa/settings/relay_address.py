"""The address of a broker that carries events: `RELAY_URL`, and what `dd-pa deliver --from` takes."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, parse_qs, urlsplit, urlunsplit

from dd_pa.errors import SettingsError
from dd_pa.settings import addresses
from dd_pa.settings.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

STREAM = "dd-pa"
"""Name of the stream, queue or topic where the address gives none."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_TOPIC = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,200}")
_HOST = re.compile(
    r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.(?!-)[A-Za-z0-9_-]{1,63})*\.?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%\w+)?", re.ASCII
)
_HOSTS = re.compile(r"([a-z]+)://(?:[^/?#]*@)?([^/?#]*)")

_ONE_DAY, _FOUR_WEEKS = 24 * 3600, 28 * 24 * 3600


class Kind(NamedTuple):
    """What is known about the brokers of one kind."""

    name: str
    extra: str
    module: str
    """What is imported; the extra brings it."""

    options: Mapping[str, range]
    """What the address's query may say, and between which bounds."""

    words: Mapping[str, tuple[str, ...]] = {}
    """What it may say of what is no number."""

    is_cluster: bool = False
    """Its address names one host or more, and the stream as the path."""

    path: str = ""
    """What the path may be, as a pattern, where it is not the stream's name."""

    what_path: str = "no path"
    """The same in words."""

    may_have_user_only: bool = False
    """A name without a password is a token, and no mistake."""


_REDIS = Kind(
    "Redis",
    "redis",
    "redis",
    {"replicas": range(10), "keep": range(_FOUR_WEEKS), "trim": range(1, _FOUR_WEEKS)},
    path=r"(/\d{1,4})?",
    what_path="the number of a database, such as /0, or none",
)
_NATS = Kind("NATS", "nats", "nats", {"replicas": range(1, 6)}, may_have_user_only=True)
_RABBITMQ = Kind(
    "RabbitMQ", "rabbitmq", "pika", {}, path="(/[^/]*)?", what_path="one virtual host, its / as %2F, or none"
)
_MECHANISMS = ("plain", "scram-sha-256", "scram-sha-512")
_KAFKA = Kind("Kafka", "kafka", "confluent_kafka", {}, {"sasl": _MECHANISMS}, is_cluster=True)

KINDS: Mapping[str, Kind] = {
    "redis": _REDIS,
    "rediss": _REDIS,
    "nats": _NATS,
    "tls": _NATS,
    "amqp": _RABBITMQ,
    "amqps": _RABBITMQ,
    "kafka": _KAFKA,
    "kafkas": _KAFKA,
}
"""By the scheme of the address."""

SECURE = ("rediss", "tls", "amqps", "kafkas")
"""Schemes of those that are reached by TLS."""


class RelayAddress:
    """Where a broker is, and the stream on it. Prints without the password."""

    __slots__ = ("_url", "hosts", "kind", "options", "shown", "stream", "words")

    def __init__(
        self,
        kind: Kind,
        url: Secret,
        shown: str,
        stream: str,
        options: Mapping[str, int],
        *,
        words: Mapping[str, str],
        hosts: tuple[str, ...],
    ) -> None:
        self.kind, self._url, self.shown = kind, url, shown
        self.stream = stream
        """Name of the stream, queue or topic."""

        self.options = options
        """What the address's query says besides."""

        self.words = words
        """What it says of what is no number."""

        self.hosts = hosts
        """Each host, with the port if it is said."""

    @property
    def is_secure(self) -> bool:
        """Whether the broker is reached by TLS."""
        return urlsplit(self._url.reveal()).scheme in SECURE

    def reveal(self) -> str:
        """Return the address for the client library, password included; call it where it is used.

        Of several hosts it has the first one.
        """
        return self._url.reveal()

    def __repr__(self) -> str:
        return f"RelayAddress({self.shown!r})"


def address(key: str, url: str | Secret) -> RelayAddress:
    """Return what an address says. Raises `SettingsError` under the setting's name; it never quotes the password."""
    secret = url if isinstance(url, Secret) else Secret(url)
    del url  # error reports show the local variables of every frame
    if secret.reveal() == str(secret):
        raise SettingsError(key, "is the mask of an address; settings that were copied or pickled lose it")
    secret, others = _first_of_hosts(secret)
    parts = addresses.split_url(key, secret.reveal())
    kind = KINDS.get(parts.scheme)
    if kind is None:
        raise SettingsError(key, f"{parts.scheme[:20]!r} is none of {', '.join(KINDS)}; give redis://127.0.0.1:6379")
    hosts = tuple(_place(key, found) for found in (parts, *_each(key, parts.scheme, others)))
    if parts.fragment:
        raise SettingsError(key, "must have no fragment; write # in a password as %23")
    words, options = _options(key, kind, parts.query)
    path = parts.path.rstrip("/")
    stream = _topic(key, path) if kind.is_cluster else _stream(key, words.pop("stream", STREAM))
    if not kind.is_cluster and not re.fullmatch(kind.path, path, re.ASCII):
        raise SettingsError(key, f"the path of {parts.scheme}:// must be {kind.what_path}")
    _check_user(key, kind, parts, words)
    if find_spec(kind.module) is None:
        raise SettingsError(key, f"needs a client for {kind.name}: pip install 'dd-pa[{kind.extra}]'")
    where = f"/{stream}" if kind.is_cluster else f"{path}?stream={stream}"
    return RelayAddress(
        kind,
        Secret(urlunsplit(urlsplit(secret.reveal())._replace(query=""))),
        f"{parts.scheme}://{','.join(hosts)}{where}",
        stream,
        options,
        words=words,
        hosts=hosts,
    )


def _first_of_hosts(url: Secret) -> tuple[Secret, list[str]]:
    """Return an address with its first host only, and the others, for the brokers of which it may name several."""
    found = _HOSTS.match(url.reveal())
    kind = found and KINDS.get(found[1])
    if not found or not kind or not kind.is_cluster:
        return url, []
    first, *others = found[2].split(",")
    return Secret(f"{url.reveal()[: found.start(2)]}{first}{url.reveal()[found.end(2) :]}"), others


def _each(key: str, scheme: str, hosts: Iterable[str]) -> Iterator[SplitResult]:
    for host in hosts:
        yield addresses.split_url(key, f"{scheme}://{host}")


def _place(key: str, parts: SplitResult) -> str:
    if not parts.hostname:
        raise SettingsError(key, f"names no host; give {parts.scheme}://host:port")
    if "," in parts.netloc.rpartition("@")[2]:
        raise SettingsError(key, f"names several hosts, and {parts.scheme}:// takes one")
    if not _HOST.fullmatch(parts.hostname) or parts.port == 0:
        raise SettingsError(key, f"names no host and port that could be; give {parts.scheme}://host:port")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return host if parts.port is None else f"{host}:{parts.port}"


def _options(key: str, kind: Kind, query: str) -> tuple[dict[str, str], dict[str, int]]:
    """Return the words and the numbers that a query says."""
    words, options = {}, {}
    known = (*(() if kind.is_cluster else ("stream",)), *kind.options, *kind.words)
    for name, (value, *more) in parse_qs(query, keep_blank_values=True).items():
        if more:
            raise SettingsError(key, f"says {name[:40]!r} twice")
        if name not in known:
            raise SettingsError(key, f"has an unknown option {name[:40]!r}; there are {', '.join(known)}")
        if name in kind.options:
            options[name] = _number(key, name, value, kind.options[name])
        elif value in kind.words.get(name, (value,)):
            words[name] = value
        else:
            raise SettingsError(key, f"{name}={value[:20]!r} must be one of {', '.join(kind.words[name])}")
    return words, options


def _stream(key: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise SettingsError(key, f"stream {name[:80]!r} must be 1 to 80 letters, digits, - and _")
    return name


def _topic(key: str, path: str) -> str:
    name = path.removeprefix("/") or STREAM
    if not _TOPIC.fullmatch(name):
        raise SettingsError(key, f"topic {name[:80]!r} must be 1 to 200 letters, digits, ., - and _")
    return name


def _check_user(key: str, kind: Kind, parts: SplitResult, words: Mapping[str, str]) -> None:
    """A name needs a password; Redis takes a password without a name."""
    if (parts.username and not parts.password and not kind.may_have_user_only) or (
        parts.password and not parts.username and kind is not _REDIS
    ):
        raise SettingsError(key, "has a user or a password only; give user:password@host, or neither")
    if "sasl" in words and not parts.username:
        raise SettingsError(key, f"sasl={words['sasl']} needs a user; give user:password@host")


def _number(key: str, name: str, value: str, bounds: range) -> int:
    if value.isascii() and value.isdigit() and len(value) < 12 and int(value) in bounds:
        return int(value)
    raise SettingsError(key, f"{name}={value[:20]!r} must be a number from {bounds[0]} to {bounds[-1]}")
