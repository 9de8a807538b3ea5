from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from asgiref.sync import sync_to_async
from django.core.exceptions import SynchronousOnlyOperation
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from dd_pa import Emitter, Event, EventError, Id, bound_identity, identify, test_run, trail
from dd_pa.signals import event_queued
from dd_pa_django.commit import Announcement, submit_on_commit, waits_in
from dd_pa_django.emitter import slot
from dd_pa_django.identity import current_request
from dd_pa_django.login import load_user


def track(
    name: str,
    attributes: Mapping[str, Any] | None = None,
    *,
    usr: Id | None = None,
    account: Id | None = None,
    session: Id | None = None,
    on_commit: bool | None = None,
    using: str | None = None,
) -> str | None:
    """Record that something happened, by the user of the current request; return the event's id, or None if not kept.

    Ids given here win over `identify()`, which wins over the request. The event is built now; inside `atomic()` it
    leaves when the outermost block commits, and vanishes with a rollback, to a savepoint too. The transaction is that
    of the database `using`, else of `default`, else of any other that is in one. `on_commit=False` sends it at once.
    With autocommit switched off by hand there is no commit to wait for: it leaves at once. Inside `TestCase`, which
    never commits, `dd_pa.testing` sees the events all the same.

    Raises `EventError` for a bad event in strict mode only. In async code use `atrack`.
    """
    emitter = slot.find()
    if emitter is None:
        return None
    event = emitter.build(name, attributes, usr=usr, account=account, session=session)
    if event is None:
        return None
    return event.id if hand_over(emitter, event, on_commit=on_commit, using=using) else None


async def atrack(
    name: str,
    attributes: Mapping[str, Any] | None = None,
    *,
    usr: Id | None = None,
    account: Id | None = None,
    session: Id | None = None,
    on_commit: bool | None = None,
    using: str | None = None,
) -> str | None:
    """Do what `track` does, in async code: a user who is not loaded yet is loaded with `request.auser()`.

    The event is built in the thread where Django runs sync code for this task, so `USER_ID`, `ACCOUNT_ID`, `CONSENT`
    and `BEFORE_SEND` may use the database, and a transaction that sync code has open around this task is seen.
    """
    emitter = slot.find()
    if emitter is None or not emitter.settings.enabled:
        return None
    asks = emitter.settings.asks_consent  # first, so that no user is loaded for an event that may not be
    with identify(consent=await sync_to_async(emitter.consent)()) if asks else nullcontext():
        if usr is None:
            await load_current_user(emitter, strict=emitter.settings.strict)
        return await sync_to_async(track)(
            name, attributes, usr=usr, account=account, session=session, on_commit=on_commit, using=using
        )


async def load_current_user(emitter: Emitter, *, strict: bool) -> None:
    """Load the request's user where an event will need one; a failure is raised in strict mode only."""
    request, bound = current_request.get(), bound_identity()
    if request is None or emitter.settings.user_id is not None:
        return
    if bound is not None and (bound.usr is not None or bound.consent is False):
        return
    try:
        await load_user(request)
    except Exception:
        if strict:
            raise


def hand_over(emitter: Emitter, event: Event, *, on_commit: bool | None = None, using: str | None = None) -> bool:
    """Let a built event go as `track` does: at once, with the open transaction, or into the outbox.

    Returns False if it was dropped. With the outbox, raises what the database raises if the transaction is spoiled.
    """
    settings = emitter.settings
    waits = settings.on_commit if on_commit is None else on_commit
    if settings.strict and using is not None and using not in connections:
        raise EventError("using", f"there is no database {using!r} in DATABASES")
    transaction = open_transaction(using) if waits else None
    stores = waits and settings.outbox and not test_run.is_capturing(emitter)
    if stores and _is_stored(emitter, event, transaction, using):
        return True
    if transaction is None:
        return emitter.submit(event)
    submit_on_commit(emitter, event, transaction)
    return True


def _is_stored(emitter: Emitter, event: Event, transaction: BaseDatabaseWrapper | None, using: str | None) -> bool:
    from dd_pa_django.outbox import writing  # noqa: PLC0415 - has a model, and is for those who use it

    if transaction is not None and transaction.needs_rollback:
        return False  # nothing can be written, and nothing will be committed
    try:
        writing.write(event, transaction or writing.connection_for(using))
    except SynchronousOnlyOperation as error:
        if emitter.settings.strict:
            raise EventError("", "cannot be stored in the outbox in async code: use await atrack(…)") from error
        emitter.say("outbox async", "an event left without the outbox: use await atrack(…) in async code")
        return False
    except Error as error:
        spoiled = transaction is not None and not isinstance(error, writing.MissingTableError)
        if spoiled or emitter.settings.strict:
            raise
        # The database's own words may quote the event.
        problem = error if isinstance(error, writing.MissingTableError) else type(error).__name__
        emitter.say("outbox", "an event left without the outbox, which cannot be written: %s", problem)
        return False
    if trail.watching:
        trail.stored(event, None if transaction is None else waits_in(transaction, event))
    if event_queued.receivers:
        _announce(emitter, event, transaction)
    return True


def _announce(emitter: Emitter, event: Event, transaction: BaseDatabaseWrapper | None) -> None:
    announce = Announcement(emitter, event)
    if transaction is None:
        announce()
    else:
        transaction.on_commit(announce, robust=True)


def open_transaction(using: str | None) -> BaseDatabaseWrapper | None:
    """Return this thread's connection to `using` if it is inside `atomic()`; with None, that of any database that is.

    Connects to no database.
    """
    alias = DEFAULT_DB_ALIAS if using is None else using
    if alias in connections and connections[alias].in_atomic_block:
        return connections[alias]
    if using is not None or len(connections.settings) == 1:
        return None  # looking a connection up costs as much as all the rest of track()
    return next((item for item in connections.all(initialized_only=True) if item.in_atomic_block), None)
