"""Which events are wanted: while the switch of ENABLED is on, and of a name as many as SAMPLE_RATES says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from dd_pa.capture.person import Identity

MOST_NAMES = 2_000
"""Names whose rate is remembered; all are forgotten when there are more."""

_ALL = 100.0
_SPACE = 1 << 64


class Switch:
    """Asks a callable, at each event, whether there may be one; a failure is a no."""

    def __init__(self, ask: Callable[[], object], *, strict: bool) -> None:
        self._ask = ask
        self._strict = strict

    def is_on(self, say: Callable[..., None]) -> bool:
        """Return the answer. In strict mode a failure is raised, else said once a minute."""
        try:
            answer = self._ask()
            if isinstance(answer, bool):
                return answer
            raise TypeError(f"ENABLED must return True or False, not {type(answer).__name__}")
        except Exception as error:
            if self._strict:
                raise
            say("enabled", "ENABLED failed, so events are dropped: %s", type(error).__name__)
            return False


class Sampling:
    """Decides by the person, so that somebody's events are kept or left out together, on all hosts alike."""

    def __init__(self, rates: Mapping[str, float]) -> None:
        self._names = {name: rate for name, rate in rates.items() if not name.endswith("*")}
        starts = ((pattern[:-1], rate) for pattern, rate in rates.items() if pattern.endswith("*"))
        self._starts = sorted(starts, key=lambda item: len(item[0]), reverse=True)
        self._known: dict[str, float] = {}

    def rate(self, name: str) -> float:
        """Return how many percent of an event's people are kept: by its name, else by the longest start of it."""
        found = self._known.get(name)
        if found is None:
            starting = (rate for start, rate in self._starts if name.startswith(start))
            found = self._names.get(name, next(starting, _ALL))
            if len(self._known) >= MOST_NAMES:
                self._known.clear()
            self._known[name] = found
        return found

    def keeps(self, name: object, identity: Identity) -> bool:
        """Tell whether an event is among those that are kept. One that has no name or no person is told so later."""
        rate = self.rate(name) if isinstance(name, str) else _ALL
        somebody = identity.usr or identity.session or identity.account
        if rate >= _ALL or somebody is None:
            return True
        digest = hashlib.blake2b(somebody.encode("utf-8", "replace"), digest_size=8).digest()
        return int.from_bytes(digest) * _ALL < rate * _SPACE
