"""A stream of Redis as deliverers see it: one consumer group, and a stream of dead letters beside it.

The group's claims are leases: Redis counts for how long a message was idle, by its own clock.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from dd_pa.relay.broker_weaknesses import redis_weaknesses
from dd_pa.relay.claims import Claim, Claims
from dd_pa.relay.cloud_event import milliseconds
from dd_pa.relay.redis_publisher import BODY, connection_options, fields
from dd_pa.relay.relay_letters import RelayCounts, RelayLetter
from dd_pa.settings.relay_address import RelayAddress
from dd_pa.store.event_queue import Row

GROUP = "dd-pa"
"""Name of the consumer group of those who deliver."""

LOOK_FOR_DEAD = 2.0
"""Seconds between two looks for what a dead deliverer holds."""

FORGET_NAME = 24 * 3600
"""Seconds after which the name of a deliverer that holds nothing is forgotten."""

PAGE = 100
"""Entries that are read at a time to look at them."""

_BODY = BODY.encode()

_OWN = """
local own = {}
for at = 4, #ARGV do
  local entry = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[at], ARGV[at], 1)
  if entry[1] and entry[1][2] == ARGV[2] then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[at], 'IDLE', ARGV[3], 'JUSTID')
    own[#own + 1] = ARGV[at]
  end
end
return own
"""

_REJECT = """
redis.call('XADD', KEYS[2], '*', unpack(ARGV, 3))
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
"""

_REPLAY = """
if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('XADD', KEYS[2], '*', unpack(ARGV, 2))
return 1
"""

_LEAVE = """
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2])
if #pending == 0 then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2]) end
"""


class RedisQueue:
    """The stream as deliverers see it, and its dead letters. One connection, for one thread."""

    def __init__(self, address: RelayAddress, *, ca_file: str | None, timeout: float = 10.0) -> None:
        self._stream, self._dead = address.stream, f"{{{address.stream}}}:dead"
        self._keep = address.options.get("keep", 0)
        self._claims: Claims[str] = Claims()
        self._cursor, self._look_at = "0-0", 0.0
        self._owner: str | None = None
        self._unseen: str | None = None
        self._has_group = False
        self._client = redis.Redis.from_url(
            address.reveal(), **connection_options(address, ca_file, timeout), retry=Retry(NoBackoff(), 0)
        )

    def claim(self, limit: int, *, owner: str, now: int, until: int) -> list[Row]:
        self._make_group()
        self._owner = owner
        entries = self._lost_answers(limit) or self._of_the_dead(limit, owner, until - now)
        if len(entries) < limit:
            entries += self._read(">", limit - len(entries))
        return [self._claims.add(_claim(entry)) for entry in entries if entry[1]]

    def _read(self, start: str, limit: int) -> list[Any]:
        """Read what nobody was given yet (from `>`), or what this owner was given."""
        streams: Any = {self._stream: start}
        found: Any = self._client.xreadgroup(GROUP, str(self._owner), streams, count=limit)
        return list(found[0][1]) if found else []

    def _lost_answers(self, limit: int) -> list[Any]:
        """Read again, after a connection was lost, what this owner was given and may never have seen."""
        entries: list[Any] = []
        if self._unseen is not None:
            found = self._read(self._unseen, limit)
            self._unseen = _text(found[-1][0]) if len(found) == limit else None
            entries = [entry for entry in found if not self._claims.knows(_text(entry[0]))]
        return entries

    def _make_group(self) -> None:
        if self._has_group:
            return
        try:
            self._client.xgroup_create(self._stream, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        self._has_group = True

    def _of_the_dead(self, limit: int, owner: str, lease: int) -> list[Any]:
        """Take over what somebody has held for longer than a lease."""
        moment = time.monotonic()
        if moment < self._look_at:
            return []
        answer: Any = self._client.xautoclaim(self._stream, GROUP, owner, lease, start_id=self._cursor, count=limit)
        self._cursor = answer[0].decode()
        if self._cursor == "0-0":
            self._look_at = moment + LOOK_FOR_DEAD
        return list(answer[1])

    def renew(self, ids: Sequence[int], *, owner: str, until: int) -> list[int]:
        held = self._claims.get(ids)
        own = set(self._own(owner, [claim.handle for _, claim in held], idle=0))
        return [number for number, claim in held if claim.handle in own]

    def release(self, ids: Sequence[int], *, owner: str) -> None:
        self._own(owner, self._claims.handles(ids), idle=FORGET_NAME * 1000)
        self._claims.forget(ids)

    def _own(self, owner: str, handles: Sequence[str], *, idle: int) -> list[str]:
        """Say for how long the messages that are still the owner's were idle, and return which those are."""
        if not handles:
            return []
        found: Any = self._client.eval(_OWN, 1, self._stream, GROUP, owner, str(idle), *handles)
        return [handle.decode() for handle in found]

    def settle(self, ids: Sequence[int]) -> None:
        handles = self._claims.handles(ids)
        if handles:
            self._client.xack(self._stream, GROUP, *handles)
        self._claims.forget(ids)

    def reject(self, ids: Sequence[int], *, reason: str, detail: str, now: int) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for _, claim in self._claims.get(ids):
            why = {"dd-pa-reason": reason, "dd-pa-detail": detail, "dd-pa-rejected-at": str(now)}
            values = fields({**claim.headers, **why}, claim.body)
            pipeline.eval(_REJECT, 2, self._stream, self._dead, GROUP, claim.handle, *values)
        pipeline.execute()
        self._claims.forget(ids)

    def oldest(self) -> int | None:
        """Return the time of the oldest message; also removes what everybody is done with."""
        self._make_group()
        first = self._first_unsettled()
        self._trim(first)
        self._forget_names()
        found: Any = self._client.xrange(self._stream, min=first, count=1)
        return milliseconds(_text(found[0][1].get(b"ce-time", b""))) if found else None

    def _first_unsettled(self) -> str:
        """Return an id before which the group is done with everything.

        The last delivered one is asked for first: what another deliverer takes between the questions is then pending.
        """
        moment, number = _text(self._group()["last-delivered-id"]).split("-")
        pending: Any = self._client.xpending(self._stream, GROUP)
        return f"{moment}-{int(number) + 1}" if pending["min"] is None else _text(pending["min"])

    def _group(self) -> Mapping[str, Any]:
        groups: Any = self._client.xinfo_groups(self._stream)
        return cast("Mapping[str, Any]", next(group for group in groups if _text(group["name"]) == GROUP))

    def _trim(self, first: str) -> None:
        seconds, _ = self._client.time()
        kept = f"{(seconds - self._keep) * 1000}-0" if self._keep else first
        self._client.xtrim(self._stream, minid=min(first, kept, key=_moment), approximate=True)

    def _forget_names(self) -> None:
        consumers: Any = self._client.xinfo_consumers(self._stream, GROUP)
        for consumer in consumers:
            if consumer["idle"] > FORGET_NAME * 1000 and not consumer["pending"]:
                self._client.eval(_LEAVE, 1, self._stream, GROUP, consumer["name"])

    def is_there(self) -> bool:
        return bool(self._client.exists(self._stream))

    def weaknesses(self) -> list[str]:
        told: Any = self._client.info("everything")
        return redis_weaknesses(told)

    def counts(self) -> RelayCounts:
        self._make_group()
        claimed = self._group()["pending"]
        first = self._first_unread()
        waiting = sum(1 for _ in self._entries(self._stream, first))
        return RelayCounts(waiting, claimed, self._client.xlen(self._dead))

    def _first_unread(self) -> str:
        return f"({_text(self._group()['last-delivered-id'])}"

    def letters(self) -> Iterator[RelayLetter]:
        for handle, entry in self._entries(self._dead, "-"):
            yield _letter(_text(handle), entry)

    def replay(self, ids: Sequence[str]) -> int:
        done = 0
        for handle, entry in self._chosen(ids):
            told = {name: value for name, value in entry.items() if not name.startswith(b"dd-pa-")}
            flat = itertools.chain.from_iterable(told.items())
            done += cast("int", self._client.eval(_REPLAY, 2, self._dead, self._stream, handle, *flat))
        return done

    def purge(self, ids: Sequence[str]) -> int:
        return sum(int(self._client.xdel(self._dead, handle)) for handle, _ in self._chosen(ids))

    def _chosen(self, ids: Sequence[str]) -> Iterator[tuple[bytes, Mapping[bytes, bytes]]]:
        for handle, entry in list(self._entries(self._dead, "-")):
            if not ids or _letter(_text(handle), entry).id in ids:
                yield handle, entry

    def _entries(self, stream: str, start: str) -> Iterator[tuple[bytes, Mapping[bytes, bytes]]]:
        while True:
            found: Any = self._client.xrange(stream, min=start, count=PAGE)
            yield from found
            if len(found) < PAGE:
                return
            start = f"({_text(found[-1][0])}"

    def reset(self) -> None:
        """Drop the connection; what was claimed stays claimed, as leases belong to the owner's name."""
        self._has_group = False
        if self._owner is not None:
            self._unseen = "0"
        self._client.connection_pool.disconnect()

    def close(self) -> None:
        if self._owner is not None:
            try:
                self._client.eval(_LEAVE, 1, self._stream, GROUP, self._owner)
            except RedisError:
                self._owner = None  # the name is forgotten by others, later
        self._client.close()


def _claim(entry: Any) -> Claim[str]:
    handle, members = entry
    headers = {_text(name): _text(value) for name, value in members.items() if name != _BODY}
    return Claim(_text(handle), headers, members.get(_BODY, b""))


def _letter(handle: str, entry: Mapping[bytes, bytes]) -> RelayLetter:
    def said(name: bytes) -> str:
        return _text(entry.get(name, b""))

    rejected_at = said(b"dd-pa-rejected-at")
    return RelayLetter(
        id=said(b"ce-id") or handle,
        name=said(b"ce-type"),
        reason=said(b"dd-pa-reason"),
        detail=said(b"dd-pa-detail"),
        rejected_at=int(rejected_at) if rejected_at.isdigit() else 0,
        body=entry.get(_BODY, b""),
    )


def _moment(entry: str) -> tuple[int, int]:
    moment, number = entry.split("-")
    return int(moment), int(number)


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")
