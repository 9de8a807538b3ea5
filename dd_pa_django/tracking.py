from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext, suppress
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import sync_to_async

from dd_pa import Emitter, Event, Id, Identity, bound_identity, identify
from dd_pa_django.emitter import slot
from dd_pa_django.handover import hand_over, has_open_transactions
from dd_pa_django.identity import served_request
from dd_pa_django.login import is_at_hand, load_user

P = ParamSpec("P")
R = TypeVar("R")


def track(
    name: str | Event,
    attributes: Mapping[str, Any] | None = None,
    *,
    usr: Id | None = None,
    account: Id | None = None,
    session: Id | None = None,
    identity: Identity | None = None,
    on_commit: bool | None = None,
    using: str | None = None,
) -> str | None:
    """Record that something happened, by the user of the current request; return the event's id, or None if not kept.

    Ids given here win over `identify()`, which wins over the request; one that is left out is taken from there unless
    `usr` is another user. `identity` is a whole person: nothing is taken from anywhere. The event is built now; inside
    `atomic()` it leaves when the outermost block commits, and vanishes with a rollback, to a savepoint too. The
    transaction is that of the database `using`, else of `default`, else of any other that is in one. `on_commit=False`
    sends it at once. With autocommit switched off by hand there is no commit to wait for: it leaves at once. Inside
    `TestCase`, which never commits, `dd_pa.testing` sees the events all the same.

    Raises `EventError` for a bad event in strict mode only. In async code use `atrack`.
    """
    emitter = slot.find()
    if emitter is None:
        return None
    event = emitter.integration.build(name, attributes, usr=usr, account=account, session=session, identity=identity)
    if event is None:
        return None
    return event.id if hand_over(emitter, event, on_commit=on_commit, using=using) else None


async def atrack(
    name: str | Event,
    attributes: Mapping[str, Any] | None = None,
    *,
    usr: Id | None = None,
    account: Id | None = None,
    session: Id | None = None,
    identity: Identity | None = None,
    on_commit: bool | None = None,
    using: str | None = None,
) -> str | None:
    """Do what `track` does, in async code: a user who is not loaded yet is loaded with `request.auser()`.

    Where anything of it may want the database, the event is built in the thread where Django runs sync code for this
    task: so `USER_ID`, `ACCOUNT_ID`, `CONSENT` and `BEFORE_SEND` may use it, and a transaction that sync code has open
    around this task is seen.
    """
    emitter = slot.find()
    if emitter is None or not emitter.settings.enabled:
        return None
    asks = emitter.settings.asks_consent  # first, so that no user is loaded for an event that may not be
    with identify(consent=await sync_to_async(emitter.integration.consent)()) if asks else nullcontext():
        if usr is None and identity is None:
            await load_current_user(emitter)
        has_all = identity is not None or (usr is not None and account is not None and session is not None)
        run = _at_once if _needs_no_thread(emitter, has_all, on_commit) else sync_to_async
        return await run(track)(
            name,
            attributes,
            usr=usr,
            account=account,
            session=session,
            identity=identity,
            on_commit=on_commit,
            using=using,
        )


def _at_once(function: Callable[P, R]) -> Callable[P, Awaitable[R]]:
    async def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(*args, **kwargs)

    return call


def _needs_no_thread(emitter: Emitter, has_all_ids: bool, on_commit: bool | None) -> bool:
    """Tell whether nothing of an event can want the database, and there is no transaction that it could wait for."""
    settings = emitter.settings
    if settings.before_send is not None or settings.outbox:
        return False
    waits = settings.on_commit if on_commit is None else on_commit
    if waits and has_open_transactions():
        return False
    request = served_request()
    if request is None:
        return True
    if settings.user_attributes is not None or settings.account_attributes is not None:
        return False
    if has_all_ids:
        return not settings.anonymous_id or is_at_hand(request)
    return not (settings.user_id or settings.account_id or settings.session_id) and is_at_hand(request)


async def load_current_user(emitter: Emitter) -> None:
    """Load the request's user where an event will need one.

    Where that fails, it is tried again where the event is built, as sync code does it: a backend that is no
    `BaseBackend` knows no other way. What fails there, too, is said there.
    """
    request, bound = served_request(), bound_identity()
    if request is None or emitter.settings.user_id is not None:
        return
    if bound is not None and (bound.usr is not None or bound.consent is False):
        return
    with suppress(Exception):  # is said where the event is built
        await load_user(request)
