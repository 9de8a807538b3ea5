from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Self

from dd_pa.capture.event import BuiltEvent

_LINKS = ("usr", "account", "session")
_STRUCTURE = frozenset({"type", "application", "event", "dd_pa", "service", "env", "version", *_LINKS})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedEvent:
    """An event as it would have left, for a test to look at."""

    name: str
    """`event.name`."""

    attributes: dict[str, Any]
    """What `track()` was given, as it is on the wire: a `Decimal` is a number, a `datetime` a text."""

    usr: str | None
    """`usr.id`."""

    account: str | None
    """`account.id`."""

    session: str | None
    """`session.id`."""

    body: dict[str, Any] = field(repr=False)
    """The whole body of the request."""

    @classmethod
    def of(cls, event: BuiltEvent) -> Self:
        """Read an event from its bytes, as the intake would."""
        body = json.loads(event.body)
        usr, account, session = (body.get(name, {}).get("id") for name in _LINKS)
        return cls(
            name=event.name,
            attributes={key: value for key, value in body.items() if key not in _STRUCTURE},
            usr=usr,
            account=account,
            session=session,
            body=body,
        )

    def __str__(self) -> str:
        links = [f"{name}={value!r}" for name in _LINKS if (value := getattr(self, name)) is not None]
        return " ".join([self.name, json.dumps(self.attributes, ensure_ascii=False), *links])
