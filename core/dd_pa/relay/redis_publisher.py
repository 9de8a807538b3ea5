"""Publishes to a stream of Redis.

A batch is one call of a script, so that all of it is there or nothing. The same call notes the number of this
publisher's last batch: an answer that was lost is asked for again, and the batch is not there twice. redis-py would
repeat a command by itself, which doubles what has no such number; its retries are off.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from dd_pa.network.outcome import DELIVERED, Outcome, Verdict
from dd_pa.relay.cloud_event import Binding, Message
from dd_pa.settings.relay_address import RelayAddress

BODY = "data"
"""Field of an entry that holds the event; the others are CloudEvents' attributes."""

REMEMBERED = 3600
"""Seconds for which a publisher's last batch is remembered; it gives up long before."""

LOST_ANSWER = 0.2
"""Seconds before an answer that was lost is asked for again."""

_ADD = """
if redis.call('GET', KEYS[2]) == ARGV[1] then return 0 end
local at = 4
while at < #ARGV do
  local fields = tonumber(ARGV[at])
  redis.call('XADD', KEYS[1], '*', unpack(ARGV, at + 1, at + fields))
  at = at + fields + 1
end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
local trim = tonumber(ARGV[3])
if trim > 0 then
  local first = (tonumber(redis.call('TIME')[1]) - trim) * 1000
  redis.call('XTRIM', KEYS[1], 'MINID', '~', string.format('%d', first))
end
return 1
"""

_BINDING = Binding("ce-")

_ABOUT_US = ("NOAUTH", "WRONGPASS", "NOPERM", "WRONGTYPE")
_LATER = ("OOM", "READONLY", "LOADING", "BUSY", "CLUSTERDOWN", "MASTERDOWN", "MISCONF", "NOREPLICAS", "TRYAGAIN")


class RedisPublisher:
    """Adds events to a stream."""

    def __init__(self, address: RelayAddress, *, ca_file: str | None, timeout: float, name: str) -> None:
        self._address, self._timeout, self._name = address, timeout, name
        self._stream = address.stream
        self._trim = address.options.get("trim", 0)
        self._replicas = address.options.get("replicas", 0)
        self._batches = itertools.count(1)
        self._is_greeted = False
        self._client = redis.asyncio.Redis.from_url(
            address.reveal(), **connection_options(address, ca_file, timeout), retry=Retry(NoBackoff(), 0)
        )

    async def publish(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        keys = (self._stream, f"{{{self._stream}}}:publisher:{self._name}")
        values = (str(next(self._batches)), str(REMEMBERED), str(self._trim), *_flat(messages))
        sent = False
        while True:  # cancelled by whoever waits
            try:
                await self._greet()
                sent = True
                outcome = await self._add(keys, values)
            except (RedisConnectionError, RedisTimeoutError) as error:
                self._is_greeted = False
                if isinstance(error, AuthenticationError):
                    outcome = Outcome(verdict=Verdict.PAUSE, reason=type(error).__name__)
                elif not sent:
                    outcome = Outcome(verdict=Verdict.RETRY, reason=type(error).__name__)
                else:
                    await asyncio.sleep(LOST_ANSWER)
                    continue
            except ResponseError as error:
                self._is_greeted = False
                outcome = refusal(error)
            return [outcome] * len(messages)

    async def _greet(self) -> None:
        """Find out whether we are let in: to a batch from somebody who is not, Redis says nothing that tells."""
        if not self._is_greeted:
            await cast("Any", self._client.ping())
            self._is_greeted = True

    async def _add(self, keys: Sequence[str], values: Sequence[str | bytes]) -> Outcome:
        if not self._replicas:
            await cast("Any", self._client.eval(_ADD, len(keys), *keys, *values))
            return DELIVERED
        pipeline = self._client.pipeline(transaction=False)
        pipeline.eval(_ADD, len(keys), *keys, *values)
        pipeline.execute_command("WAIT", self._replicas, int(self._timeout * 500))
        _, replicas = await pipeline.execute()
        if replicas >= self._replicas:
            return DELIVERED
        raise RedisTimeoutError(f"{replicas} of {self._replicas} replicas have it")

    async def aclose(self) -> None:
        await self._client.aclose()


def connection_options(address: RelayAddress, ca_file: str | None, timeout: float) -> dict[str, Any]:
    """Return what a client is to be told besides the address. Certificates are verified in any case."""
    options: dict[str, Any] = {"protocol": 2, "socket_timeout": timeout, "socket_connect_timeout": timeout}
    return {**options, "ssl_ca_certs": ca_file} if address.is_secure and ca_file else options


def refusal(error: ResponseError) -> Outcome:
    """Return what an error of the server means: its first word is its code."""
    code = str(error).split(" ", 1)[0]
    if code in _ABOUT_US or isinstance(error, NoPermissionError):
        return Outcome(verdict=Verdict.PAUSE, reason=type(error).__name__)
    reason = code if code in _LATER else type(error).__name__
    return Outcome(verdict=Verdict.LIMIT if code == "OOM" else Verdict.RETRY, reason=reason)


def _flat(messages: Iterable[Message]) -> list[str | bytes]:
    found: list[str | bytes] = []
    for message in messages:
        headers = _BINDING.headers(message)
        found.append(str(2 * len(headers) + 2))
        for pair in headers.items():
            found += pair
        found += (BODY, message.body)
    return found


def fields(headers: Mapping[str, str], body: bytes) -> Iterator[str | bytes]:
    for name, value in headers.items():
        yield name
        yield value
    yield BODY
    yield body
