"""What is known about the person of a request besides the ids: looked up once per request, checked and encoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from dd_pa.capture.attributes import AttributeCleaner
from dd_pa.capture.id_text import is_same
from dd_pa.capture.person import Identity, Traits
from dd_pa.capture.work import current_work
from dd_pa.errors import EventError

Whose = Literal["usr", "account"]
OnProblem = Callable[[str], None]

RESERVED_TRAITS = frozenset({"id", "anonymous_id"})
"""Names beside `usr.id` and `account.id` that are not for the application: who it is, is said elsewhere."""

MAX_TRAITS = 50
MAX_TRAITS_BYTES = 8_192
"""Most that is said about somebody, encoded. It travels with each event."""


class KnownSource(Protocol):
    """What an identity callable returns where it can say more about the person of the request than the ids."""

    @property
    def usr(self) -> str | None: ...

    @property
    def account(self) -> str | None: ...

    def known(self, whose: Whose) -> object:
        """Return what USER_ATTRIBUTES or ACCOUNT_ATTRIBUTES says: a mapping, or None."""

    @property
    def anonymous_id(self) -> str | None:
        """The browser SDK's id of the visitor."""


class TraitsEncoder:
    """Checks and encodes what is said about somebody."""

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._encode = msgspec.json.Encoder(decimal_format="number").encode

    def encoded(self, whose: Whose, known: object, on_problem: OnProblem) -> bytes:
        """Return the members of a JSON object, without its braces; what cannot be sent is told and left out."""
        cleaner = AttributeCleaner(strict=self._strict, room=MAX_TRAITS)
        try:
            if known is None:
                return b""
            if not isinstance(known, Mapping):
                raise EventError(whose, f"what is known must be a mapping, not {type(known).__name__}")
            # Not at depth 0: names that are reserved in an event, such as `type` or `env`, are not so in here.
            clean = cleaner.value(known, whose, 1)
            encoded = self._encode(self._without_reserved(whose, clean, on_problem))[1:-1]
            if len(encoded) > MAX_TRAITS_BYTES:
                raise EventError(whose, f"what is known has {len(encoded):,} bytes; the limit is {MAX_TRAITS_BYTES:,}")
        except EventError as error:
            if self._strict:
                raise
            on_problem(str(error))
            return b""
        for repair in cleaner.repairs:
            on_problem(repair)
        return encoded

    def _without_reserved(self, whose: Whose, clean: object, on_problem: OnProblem) -> dict[str, Any]:
        members: dict[str, Any] = dict(clean) if isinstance(clean, dict) else {}
        for name in [name for name in members if name.partition(".")[0] in RESERVED_TRAITS]:
            error = EventError(f"{whose}.{name}"[:100], "is a reserved name; the ids are said by other settings")
            if self._strict:
                raise error
            on_problem(str(error))
            del members[name]
        return members


class TraitsReader:
    """Puts what is known about the person of a request beside ids, if they are the ids of that very person."""

    def __init__(self, *, strict: bool, wanted: frozenset[Whose], anonymous_id: bool) -> None:
        self._strict = strict
        self._wanted = wanted
        self._wants_anonymous_id = anonymous_id
        self._encoder = TraitsEncoder(strict=strict)

    def described(self, found: Identity, source: KnownSource, on_problem: OnProblem) -> Identity:
        """Return the same person with what is known; whoever is somebody else than the request's gets nothing.

        A visitor who is not logged in keeps his anonymous id when the code says who he is, as he keeps his session.
        """
        if found.usr is None and found.account is None:
            return found
        seen = _seen_in_request()
        described: Identity | None = seen.get((self, found))
        if described is not None:
            return described
        acting = None if found.usr is None else source.usr
        if acting is not None and not is_same(acting, found.usr):
            return found
        traits = Traits(
            usr=b"" if acting is None else self._members("usr", found.usr, source, seen, on_problem),
            account=self._account(found, acting, source, seen, on_problem),
            anonymous_id=source.anonymous_id if self._wants_anonymous_id and found.usr is not None else None,
        )
        if traits == _NOTHING:
            return found
        seen[self, found] = described = msgspec.structs.replace(found, traits=traits)
        return described

    def _account(
        self,
        found: Identity,
        acting: str | None,
        source: KnownSource,
        seen: dict[Any, Any],
        on_problem: OnProblem,
    ) -> bytes:
        if found.account is None or "account" not in self._wanted or (found.usr is not None and acting is None):
            return b""
        if not is_same(found.account, source.account):
            return b""
        return self._members("account", found.account, source, seen, on_problem)

    def _members(
        self, whose: Whose, key: str | None, source: KnownSource, seen: dict[Any, Any], on_problem: OnProblem
    ) -> bytes:
        if whose not in self._wanted:
            return b""
        known: bytes | None = seen.get((self, whose, key))
        if known is None:
            known = self._encoder.encoded(whose, self._known(whose, source, on_problem), on_problem)
            seen[self, whose, key] = known
        return known

    def _known(self, whose: Whose, source: KnownSource, on_problem: OnProblem) -> object:
        try:
            return source.known(whose)
        except Exception as error:
            if self._strict:
                raise
            why = str(error) if isinstance(error, EventError) else type(error).__name__
            on_problem(f"{whose}: what is known could not be found out: {why}")
            return None


_NOTHING = Traits()


def fields_of(whose: Whose, user: object, names: Sequence[str]) -> dict[str, Any]:
    """Return the named fields of a user; raise `EventError` naming one that he does not have."""
    for name in names:
        if not hasattr(user, name):
            raise EventError(f"{whose}.{name}", f"{user.__class__.__name__} has no such field")
    return {name: getattr(user, name) for name in names}


def require_same(whose: Whose, usr: object, login: object, own_ids: Iterable[object]) -> None:
    """Raise `EventError` if what `USER_ID` says is none of the ids of whoever is logged in: it may be somebody else."""
    if not any(is_same(usr, own) for own in own_ids):
        kind = login.__class__.__name__
        raise EventError(
            whose,
            f"USER_ID says an id that is no unique field of the {kind} who is logged in, so names of "
            "fields may be about somebody else: give a callable",
        )


def _seen_in_request() -> dict[Any, Any]:
    """Return where the request that is served keeps what was found for its events; a new place where none is."""
    work = current_work()
    if work is None or work.base is None:
        return {}
    if work.base.seen is None:
        work.base.seen = {}
    return work.base.seen
