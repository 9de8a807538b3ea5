"""The last word of an application on each event: what BEFORE_SEND sees of it, and what becomes of what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from dd_pa.capture.attributes import shallow_copy
from dd_pa.capture.id_text import as_id
from dd_pa.capture.linking import Linker
from dd_pa.capture.person import Identity, Traits
from dd_pa.capture.traits import OnProblem, TraitsEncoder
from dd_pa.errors import EventError

BeforeSend = Callable[["EventDraft"], object]


@dataclass(slots=True, kw_only=True)
class EventDraft:
    """An event before it is checked and encoded, as `BEFORE_SEND` sees it; may be changed in place.

    Where an id is changed, what was known of the one before goes, unless another mapping is assigned.
    """

    name: str
    """`event.name`, dotted and in the past tense: `checkout.completed`."""

    attributes: dict[str, Any] = field(default_factory=dict)
    """A shallow copy of the attributes given to `track()`."""

    usr: str | None = None
    """`usr.id`."""

    account: str | None = None
    """`account.id`."""

    session: str | None = None
    """`session.id`."""

    usr_attributes: dict[str, Any] = field(default_factory=dict)
    """What is known about the user, as USER_ATTRIBUTES says it: as it goes on the wire beside `usr.id`."""

    account_attributes: dict[str, Any] = field(default_factory=dict)
    """What is known about the account, as ACCOUNT_ATTRIBUTES says it."""

    anonymous_id: str | None = None
    """`usr.anonymous_id`, with ANONYMOUS_ID."""


_NO_TRAITS = Traits()


class Drafts:
    """Shows events to BEFORE_SEND, and makes of its answer what is sent."""

    def __init__(self, before_send: BeforeSend, linker: Linker, *, strict: bool) -> None:
        self._before_send = before_send
        self._linker = linker
        self._strict = strict
        self._encoder = TraitsEncoder(strict=strict)

    def reviewed(
        self, name: str, attributes: Mapping[str, Any] | None, identity: Identity, on_problem: OnProblem
    ) -> tuple[str, Mapping[str, Any], Identity] | None:
        """Return the event's name, attributes and person now; None if it is to be dropped, or if BEFORE_SEND failed.

        In strict mode the failure is raised.
        """
        traits = identity.traits or _NO_TRAITS
        of_usr, of_account = _decoded(traits.usr), _decoded(traits.account)
        draft = self._answer(
            EventDraft(
                name=name,
                attributes=shallow_copy(attributes),
                usr=identity.usr,
                account=identity.account,
                session=identity.session,
                usr_attributes=of_usr,
                account_attributes=of_account,
                anonymous_id=traits.anonymous_id,
            )
        )
        if draft is None:
            return None
        person = self._linker.checked(draft.usr, draft.account, draft.session, on_problem)
        is_other = person.usr != identity.usr
        is_other_account = is_other or person.account != identity.account
        known = Traits(
            usr=self._encoded("usr", draft.usr_attributes, of_usr if is_other else None, on_problem),
            account=self._encoded(
                "account", draft.account_attributes, of_account if is_other_account else None, on_problem
            ),
            anonymous_id=self._anonymous_id(draft, traits.anonymous_id if is_other else None, on_problem),
        )
        described = person if known == _NO_TRAITS else msgspec.structs.replace(person, traits=known)
        return draft.name, draft.attributes, described

    def _answer(self, draft: EventDraft) -> EventDraft | None:
        try:
            changed = self._before_send(draft)
            if changed is None or isinstance(changed, EventDraft):
                return changed
            raise TypeError(f"BEFORE_SEND must return the EventDraft or None, not {type(changed).__name__}")
        except Exception:
            if self._strict:
                raise
            return None

    def _encoded(self, whose: Any, said: Any, of_another: object, on_problem: OnProblem) -> bytes:
        return b"" if not said or said is of_another else self._encoder.encoded(whose, said, on_problem)

    def _anonymous_id(self, draft: EventDraft, of_another: str | None, on_problem: OnProblem) -> str | None:
        if draft.anonymous_id is None or draft.anonymous_id == of_another:
            return None
        try:
            return as_id("usr.anonymous_id", draft.anonymous_id)
        except EventError as error:
            if self._strict:
                raise
            on_problem(str(error))
            return None


def _decoded(members: bytes) -> dict[str, Any]:
    return decoded(b"{%b}" % members) if members else {}


def decoded(attributes: bytes) -> dict[str, Any]:
    """Return the members of an encoded object, with all digits of its numbers."""
    return _DECODER.decode(attributes)


def _number(text: str) -> float | Decimal:
    """Return a number of which no digit gets lost: a Decimal where Python's float has not as many."""
    number = float(text)
    return number if repr(number) == text else Decimal(text)


_DECODER: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any], float_hook=_number)
