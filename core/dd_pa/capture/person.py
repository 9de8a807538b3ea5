"""A person as one value, and when two statements can be about the same one."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Protocol

import msgspec

from dd_pa.errors import EventError

ID_LIMIT = 256
"""Longest id, in characters. Datadog names no limit; longer ones are a mistake, and would travel in job headers."""

Id = str | int | uuid.UUID

NO_IDS = frozenset({"None", "null", "undefined", "NaN", "AnonymousUser"})
"""Texts that are made of no id: `str(user.pk)` of a visitor, a template's or a script's nothing. All visitors would be
one person."""


class Traits(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known about somebody besides the ids, encoded once: the members of JSON objects, without the braces."""

    usr: bytes = b""
    """Beside `usr.id`: `"plan":"pro","seats":3`."""

    account: bytes = b""
    """Beside `account.id`."""

    anonymous_id: str | None = None
    """`usr.anonymous_id`: the browser SDK's id of the visitor; goes nowhere but beside `usr.id`."""


class Identity(msgspec.Struct, frozen=True, kw_only=True, gc=False, cache_hash=True):
    """The user, account and browser session that an event belongs to: one person, and nobody else's ids."""

    usr: str | None = None
    """`usr.id`: the server's own id of the user."""

    account: str | None = None
    """`account.id`: the customer or tenant that the user acts for."""

    session: str | None = None
    """`session.id`: the browser session, as the RUM SDK named it."""

    consent: bool | None = None
    """Whether this person agreed to events; None: nobody said. Not sent, but carried into jobs."""

    traits: Traits | None = None
    """What USER_ATTRIBUTES, ACCOUNT_ATTRIBUTES and ANONYMOUS_ID say. Not for applications to set.
    Not carried into jobs."""


NOBODY = Identity()

DENIED = Identity(consent=False)
"""Of somebody who does not want events: no id is known."""


class IdentitySource(Protocol):
    """What an identity callable returns: each attribute is read only when the event needs it.

    `consent` is read first, and only if CONSENT or RESPECT_GPC is set; if it is False, no id is read.
    """

    @property
    def usr(self) -> str | None: ...

    @property
    def account(self) -> str | None: ...

    @property
    def session(self) -> str | None: ...

    @property
    def consent(self) -> bool | None: ...


IdentityCallable = Callable[[], IdentitySource | None]


def within(outer: Identity, stated: Identity, *, inherits: bool = True) -> Identity:
    """Return what a statement says inside of another one, which completes it unless it is about another user.

    A no is inherited all the same: it was said about what happens there.
    """
    if not inherits or not (stated.usr is None or outer.usr is None or stated.usr == outer.usr):
        return msgspec.structs.replace(stated, consent=False) if _denies(outer, stated) else stated
    return Identity(
        usr=outer.usr if stated.usr is None else stated.usr,
        account=outer.account if stated.account is None else stated.account,
        session=outer.session if stated.session is None else stated.session,
        consent=outer.consent if stated.consent is None else stated.consent,
    )


def _denies(outer: Identity, stated: Identity) -> bool:
    return outer.consent is False and stated.consent is None


def is_same(usr: object, other: object) -> bool:
    """Tell whether two ids are the same one on the wire. What is no id is nobody's."""
    if type(usr) is str and type(other) is str:
        return usr == other
    try:
        return as_id("usr", usr) == as_id("usr", other)
    except EventError:
        return False


def as_id(path: str, value: object) -> str:
    """Return an id as the text that goes on the wire; raise `EventError` naming `path` if it cannot be one."""
    if type(value) is str and 0 < len(value) <= ID_LIMIT and value.isprintable() and value not in NO_IDS:
        return value
    if isinstance(value, uuid.UUID) or (type(value) is int and value.bit_length() <= 64):
        value = str(value)
    if not isinstance(value, str):
        raise EventError(path, f"must be a text, a whole number of 64 bits or a UUID, not {type(value).__name__}")
    text = str.__str__(value)
    if not text or len(text) > ID_LIMIT or not text.isprintable():
        raise EventError(path, f"must have 1 to {ID_LIMIT} printable characters")
    if text in NO_IDS:
        raise EventError(path, f"must be an id, and {text!r} is the text of none: give None where there is nobody")
    return text
