from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from dd_pa.capture.draft import Drafts
from dd_pa.capture.event import BuiltEvent, shown_name
from dd_pa.capture.linking import ConsentUnknownError, Link, Linker, OnProblem
from dd_pa.capture.person import DENIED, Id, Identity, IdentityCallable
from dd_pa.capture.traits import TraitsReader, Whose
from dd_pa.delivery.gate import RetryPolicy
from dd_pa.delivery.ledger import LostIdentityReason
from dd_pa.delivery.pipeline import Pipeline
from dd_pa.delivery.stats import Stats
from dd_pa.errors import EventError
from dd_pa.observe import event_log, metrics, observers
from dd_pa.process import forks, testbed
from dd_pa.settings.settings import Settings

if TYPE_CHECKING:
    from dd_pa.delivery.transport import Transport


Build = Callable[..., BuiltEvent | None]
"""Builds an event of a name and attributes, and perhaps ids; see `Emitter.builder`."""


class Emitter:
    """Takes events from any thread and delivers them in the background. One per process and application is enough.

    `identity` is called when an event is tracked, and only if `track()` and `identify()` left an id open; it returns an
    object with `usr`, `account` and `session`. `transport` replaces the network (tests pass
    `httpx.ASGITransport(app=Emulator())`). Nothing is started before the first event; a forked child begins empty.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        identity: IdentityCallable | None = None,
        transport: Transport | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.settings = settings
        asks: dict[str, Any] = {"asks_consent": settings.asks_consent, "needs_consent": settings.consent is not None}
        traits = _traits_reader(settings)
        self._linker = Linker(identity, strict=settings.strict, traits=traits, **asks)
        self._link = self._linker.link if traits is not None else self._linker.link_ids
        self._lenient_linker = Linker(identity, strict=False, **asks)
        before_send = settings.before_send
        self._drafts = Drafts(before_send, self._linker, strict=settings.strict) if callable(before_send) else None
        self._transport = transport
        self._retry = retry or RetryPolicy()
        self._enabled = settings.enabled
        self.outbox: Any = None
        """Table of SQLAlchemy that keeps the events of its sessions; see `dd_pa.outbox.sqlalchemy.outbox_table`."""

        self._closed = False
        if settings.enabled:  # not again in a forked child: OpenSSL may have been forked with a lock taken
            from dd_pa.delivery.warmup import warm_up  # noqa: PLC0415 - httpx and asyncio, dearer than all of ours

            warm_up(settings)
        self._pipelines = {forks.generation: self._make_pipeline()}
        self._latest = self._pipeline
        metrics.observe_where_used(self)

    def _make_pipeline(self) -> Pipeline:
        return Pipeline(self, self.settings, transport=self._transport, retry=self._retry, closed=self._closed)

    @property
    def _pipeline(self) -> Pipeline:
        """This process's own; those of ancestors are kept untouched, as closing their loop would disturb the parent."""
        pipeline = self._pipelines.get(forks.generation)
        if pipeline is None:
            pipeline = self._pipelines.setdefault(forks.generation, self._make_pipeline())
        self._latest = pipeline
        return pipeline

    def track(
        self,
        name: str,
        attributes: Mapping[str, Any] | None = None,
        *,
        usr: Id | None = None,
        account: Id | None = None,
        session: Id | None = None,
        identity: Identity | None = None,
    ) -> str | None:
        """Record that something happened; return the event's id, or None if it was not kept (the reason is counted).

        `attributes` are JSON-like (also Decimal, datetime, UUID, Enum, dataclass, set, lazy text) and are copied
        before the call returns. Ids given here win over `identify()`, which wins over the request's login; an id that
        is left out is taken from there unless `usr` is another user. `identity` is a whole person: nothing is taken
        from anywhere. Never blocks, never asks the network. In strict mode a bad event raises `EventError`.
        """
        event = None
        try:
            link = self._link if identity is None else self._linker.link_whole(identity)
            make = self._followed if observers.present else self._made
            event = make(link, name, attributes, usr, account, session)
            return event.id if event is not None and self._latest.submit(event) else None
        except Exception as error:  # the one guard: nothing of ours ends the code that tracks
            self._give_up(name, event, error)
            return None

    def build(
        self,
        name: str,
        attributes: Mapping[str, Any] | None = None,
        *,
        usr: Id | None = None,
        account: Id | None = None,
        session: Id | None = None,
        identity: Identity | None = None,
        owner: bool = False,
    ) -> BuiltEvent | None:
        """Check and encode an event with the identity of this moment, to be submitted now or later (on commit).

        `owner`: the ids are of the person whose a thing is, who need not be who acts. If he is, the event is his as
        any other; else it gets nothing of who acts, not even an anonymous visitor's session. Returns None if it is
        dropped. Raises `EventError` in strict mode, as `track()` does.
        """
        linker = self._linker
        try:
            link = linker.link_owner if owner else linker.link if identity is None else linker.link_whole(identity)
            make = self._followed if observers.present else self._made
            return make(link, name, attributes, usr, account, session)
        except Exception as error:
            self._give_up(name, None, error)
            return None

    def builder(self) -> Build:
        """Return what builds the events of one operation, as `build(owner=True)` does one of them.

        Who acts is found out at the first of them, so it must not change until the last.
        """
        link = self._linker.link_owners()

        def build(
            name: str,
            attributes: Mapping[str, Any] | None = None,
            usr: Id | None = None,
            account: Id | None = None,
            session: Id | None = None,
        ) -> BuiltEvent | None:
            try:
                make = self._followed if observers.present else self._made
                return make(link, name, attributes, usr, account, session)
            except Exception as error:
                self._give_up(name, None, error)
                return None

        return build

    def _made(
        self,
        link: Link,
        name: str,
        attributes: Mapping[str, Any] | None,
        usr: Id | None,
        account: Id | None,
        session: Id | None,
    ) -> BuiltEvent | None:
        """Return the event, or None (counted) if there may be none or nobody to link it to; raise if it is bad."""
        if not self._enabled:
            return None
        pipeline = self._latest
        if pipeline.generation != forks.generation:
            pipeline = self._pipeline
        on_problem = pipeline.on_problem
        identity = link(usr, account, session, on_problem)
        if identity.consent is False:
            pipeline.ledger.count_dropped("consent", None, name)
            return None
        if self._drafts is not None:
            reviewed = self._drafts.reviewed(name, attributes, identity, on_problem)
            if reviewed is None:
                pipeline.ledger.count_dropped("before_send", None, name)
                return None
            name, attributes, identity = reviewed
        if not (identity.usr or identity.account or identity.session):
            pipeline.ledger.count_dropped("unlinked", None, name)
            return None
        event, repairs = pipeline.builder.build(name, attributes, identity)
        if repairs:
            on_problem(*repairs)
        return event

    def _followed(
        self,
        link: Link,
        name: str,
        attributes: Mapping[str, Any] | None,
        usr: Id | None,
        account: Id | None,
        session: Id | None,
    ) -> BuiltEvent | None:
        """Build an event that somebody looks at: a debug panel, or a test."""
        with event_log.step(name) as step:
            if not self._enabled:
                testbed.disabled(self, name)
                return None

            def noted(usr: Id | None, account: Id | None, session: Id | None, on_problem: OnProblem) -> Identity:
                found = link(usr, account, session, on_problem)
                if step is not None:
                    step.ids = self._linker.origins({"usr": usr, "account": account, "session": session}, found)
                return found

            try:
                event = self._made(noted, name, attributes, usr, account, session)
            except Exception as error:
                if self.settings.strict:
                    event_log.invalid(name, _shown(error), raises=True)
                self._give_up(name, None, error)  # here, where the step is open
                return None
            if step is not None:
                step.event = event
            if event is not None:
                testbed.built(self, event)
            return event

    def consent(self) -> bool | None:
        """Return what `identify()`, RESPECT_GPC and CONSENT say about whoever acts now; None if nothing is said.

        For code that does something in advance for an event, or that queues work for the same person. If CONSENT
        fails, that is a no; in strict mode its error is raised.
        """
        try:
            return self._linker.consent()
        except ConsentUnknownError as error:
            self._say_consent_failed(error)
            return False

    def _say_consent_failed(self, error: ConsentUnknownError) -> None:
        self._pipeline.ledger.say("consent", "CONSENT failed, so events are dropped: %s", error)

    def identity(self, *, lenient: bool = False, traits: bool = False) -> Identity:
        """Return whom an event tracked now would be linked to: for a page that tells the browser SDK, or for a job.

        Looks the ids up as `track()` does, so it may query the database; empty outside of a request and of an
        `identify()` block. An id that cannot be found is left out; in strict mode the reason is raised, unless
        `lenient`, which counts a lost identity instead. Without consent there are none, and `consent` is False.
        `traits`: with what USER_ATTRIBUTES and ACCOUNT_ATTRIBUTES say, which a page may know and a job does not carry.
        """
        ledger = self._pipeline.ledger
        linker = self._lenient_linker if lenient else self._linker
        problems: list[str] = []
        try:
            link = linker.link if traits else linker.link_ids
            found = link(None, None, None, problems.append)
            consent = linker.consent()
        except ConsentUnknownError as error:
            self._say_consent_failed(error)
            return DENIED
        for problem in problems:
            ledger.say("identity", "no id: %.200r", problem)
        if problems and lenient:
            ledger.count_lost_identity("not_found")
        return msgspec.structs.replace(found, consent=consent)

    def count_lost_identity(self, reason: LostIdentityReason) -> None:
        """Count that a job runs for nobody, or for somebody without a session; said in the log once a minute."""
        self._pipeline.ledger.count_lost_identity(reason)

    def drop_invalid(self, name: str, error: Exception) -> None:
        """Count an event that could not be made because of `error`; raise that in strict mode.

        For code that works out what an event says before it calls `track()`, such as a decorator's callables.
        """
        problem = _shown(error)
        if event_log.watching:
            event_log.invalid(name, problem, raises=self.settings.strict)
        if self.settings.strict:
            raise error
        ledger = self._pipeline.ledger
        ledger.say("invalid event", "event %s cannot be sent: %.200r", shown_name(name), problem)
        ledger.count_dropped("invalid", None, name)

    def submit(self, event: BuiltEvent) -> bool:
        """Store a built event for delivery; return False if it was dropped because the buffer is full or closed."""
        try:
            return self._pipeline.submit(event)
        except Exception as error:
            self._give_up(event.name, event, error)
            return False

    def _give_up(self, name: str, event: BuiltEvent | None, error: Exception) -> None:
        """Count an event that could not be built, or not be stored if it was; raise the reason in strict mode."""
        if self.settings.strict:
            raise error
        ledger = self._pipeline.ledger
        if event is not None:  # a mistake of ours, or the system's
            ledger.say("failed", "an event could not be stored: %s", type(error).__name__)
            ledger.count_dropped("failed", event)
        elif isinstance(error, ConsentUnknownError):
            self._say_consent_failed(error)
            ledger.count_dropped("consent", None, name)
        else:
            self.drop_invalid(name, error)

    def say(self, about: str, message: str, *values: object) -> None:
        """Log a warning, at most once a minute about the same thing. Never put a key, an id or an attribute into it."""
        self._pipeline.ledger.say(about, message, *values)

    def flush(self, timeout: float) -> bool:
        """Wait until every event tracked so far is delivered, rejected or dropped; return whether it is.

        Blocks for at most `timeout` seconds. Events tracked meanwhile are not waited for.
        """
        return self._pipeline.flush(timeout)

    def close(self, timeout: float | None = None) -> None:
        """Deliver what waits and end the thread, in `timeout` seconds in all (SHUTDOWN_TIMEOUT when None).

        What is not delivered by then stays in the spool; without one it is dropped, counted as `shutdown` and logged.
        Called at the end of the process for you. Calling it again does nothing.
        """
        if self._closed:
            return
        self._closed = True
        self._pipeline.close(self.settings.shutdown_timeout if timeout is None else timeout)

    def stats(self) -> Stats:
        """Return what became of the events of this process. Does not block."""
        return self._pipeline.stats()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _traits_reader(settings: Settings) -> TraitsReader | None:
    asked: dict[Whose, object] = {"usr": settings.user_attributes, "account": settings.account_attributes}
    wanted: frozenset[Whose] = frozenset(whose for whose, setting in asked.items() if setting is not None)
    if not wanted and not settings.anonymous_id:
        return None
    return TraitsReader(strict=settings.strict, wanted=wanted, anonymous_id=settings.anonymous_id)


def _shown(error: Exception) -> str:
    """Return what may be logged: the text of any other error may quote a value, or be made by the code that failed."""
    return str(error) if isinstance(error, EventError) else type(error).__name__
