from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from dd_pa.relay.cloud_event import is_understood
from dd_pa.store.event_queue import Row

HandleT = TypeVar("HandleT", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Claim(Generic[HandleT]):
    """A message that this deliverer holds."""

    handle: HandleT
    """What the broker knows it by."""

    headers: Mapping[str, str]
    body: bytes


class Claims(Generic[HandleT]):
    """Numbers what was claimed: the delivery knows rows by numbers, a broker its messages by what it likes."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._claims: dict[int, Claim[HandleT]] = {}
        self._ids: dict[HandleT, int] = {}

    def add(self, claim: Claim[HandleT]) -> Row:
        """Return the row of a message: the same one if the broker gives it out again."""
        number = self._ids.get(claim.handle)
        if number is None:
            number = self._ids[claim.handle] = next(self._numbers)
        self._claims[number] = claim
        return Row(number, claim.body if is_understood(claim.headers) else b"")  # set aside as it is, as damaged

    def knows(self, handle: HandleT) -> bool:
        return handle in self._ids

    def get(self, ids: Iterable[int]) -> list[tuple[int, Claim[HandleT]]]:
        """Return what is held of these."""
        return [(number, self._claims[number]) for number in ids if number in self._claims]

    def all(self) -> list[Claim[HandleT]]:
        return list(self._claims.values())

    def handles(self, ids: Iterable[int]) -> list[HandleT]:
        return [claim.handle for _, claim in self.get(ids)]

    def numbers(self, is_meant: Callable[[HandleT], bool]) -> list[int]:
        """Return the numbers of those messages."""
        return [number for handle, number in self._ids.items() if is_meant(handle)]

    def forget(self, ids: Sequence[int]) -> None:
        for number in ids:
            claim = self._claims.pop(number, None)
            if claim is not None:
                del self._ids[claim.handle]

    def clear(self) -> None:
        """Forget everything: the connection that the handles belong to is gone."""
        self._claims.clear()
        self._ids.clear()
