"""Who acted: the three ids of an event, and the block that sets them for everything tracked inside it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

import msgspec

from dd_pa.errors import EventError

ID_LIMIT = 256
"""Longest id, in characters. Datadog names no limit; longer ones are a mistake, and would travel in job headers."""

Id = str | int | uuid.UUID


class Identity(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The user, account and browser session that an event belongs to."""

    usr: str | None = None
    """`usr.id`: the server's own id of the user."""

    account: str | None = None
    """`account.id`: the customer or tenant that the user acts for."""

    session: str | None = None
    """`session.id`: the browser session, as the RUM SDK named it."""

    consent: bool | None = None
    """Whether this person agreed to events; None: nobody said. Not sent, but carried into jobs."""


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

_bound: ContextVar[Identity | None] = ContextVar("dd_pa_identity", default=None)


_of_job: ContextVar[Identity | None] = ContextVar("dd_pa_job_identity", default=None)


def bound_identity() -> Identity | None:
    """Return what the innermost `identify()` block of this thread or task says, or None outside of one."""
    return _bound.get()


@contextmanager
def identify(
    *,
    usr: Id | None = None,
    account: Id | None = None,
    session: Id | None = None,
    consent: bool | None = None,
    inherit: bool = True,
) -> Iterator[Identity]:
    """Link every event tracked in the block, in this thread or task, to these ids.

    Inner blocks inherit what they leave out, with `inherit=False` the consent only. Explicit arguments of `track()` win
    over the block; the block wins over the request's login. `consent=False` drops every event of the block, `True` lets
    them pass without asking CONSENT.
    Raises `EventError` for an id that is empty, too long or of another type.
    """
    if consent is not None and not isinstance(consent, bool):
        raise EventError("consent", f"must be True, False or None, not {type(consent).__name__}")
    outer = _bound.get()
    inherited = outer or Identity()
    if not inherit:
        inherited = Identity(consent=inherited.consent)
    inner = Identity(
        usr=inherited.usr if usr is None else as_id("usr", usr),
        account=inherited.account if account is None else as_id("account", account),
        session=inherited.session if session is None else as_id("session", session),
        consent=inherited.consent if consent is None else consent,
    )
    _bound.set(inner)
    try:
        yield inner
    finally:
        _bound.set(outer)


def job_identity() -> Identity | None:
    """Return what the job that runs in this thread or task was sent with, or None outside of one."""
    return _of_job.get()


def rebind_identity(identity: Identity | None, *, job: Identity | None) -> Identity | None:
    """Put an identity in force as `identify()` would; return what was, to be put back in the same thread or task.

    For a job whose beginning and end are two calls; `job` is what the one that goes on was sent with.
    """
    before = _bound.get()
    _bound.set(identity)
    _of_job.set(job)
    return before


def as_id(path: str, value: object) -> str:
    """Return an id as the text that goes on the wire; raise `EventError` naming `path` if it cannot be one."""
    if type(value) is str and 0 < len(value) <= ID_LIMIT and value.isprintable():
        return value
    if isinstance(value, uuid.UUID) or (type(value) is int and value.bit_length() <= 64):
        value = str(value)
    if not isinstance(value, str):
        raise EventError(path, f"must be a text, a whole number of 64 bits or a UUID, not {type(value).__name__}")
    text = str.__str__(value)
    if not text or len(text) > ID_LIMIT or not text.isprintable():
        raise EventError(path, f"must have 1 to {ID_LIMIT} printable characters")
    return text
