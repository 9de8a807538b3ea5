"""A person as one value, and when two statements can be about the same one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec


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
