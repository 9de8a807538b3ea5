"""What the integration of a framework, an ORM or a queue needs of an emitter, and an application does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from dd_pa.capture.batch import BatchBuilder
from dd_pa.capture.event import BuiltEvent
from dd_pa.capture.id_text import Id
from dd_pa.capture.linking import ConsentUnknownError
from dd_pa.capture.person import DENIED, Identity
from dd_pa.delivery.ledger import LostIdentityReason
from dd_pa.event_factory import EventFactory
from dd_pa.observe import observers
from dd_pa.plan.event_class import Event

if TYPE_CHECKING:
    from dd_pa.delivery.process_pipelines import ProcessPipelines


class Integration:
    """Builds events now that are submitted later, tells who acts, and counts what went wrong outside of `track()`.

    As `emitter.integration`: for the glue of a framework, and for applications that keep events themselves.
    """

    def __init__(self, factory: EventFactory, pipelines: ProcessPipelines) -> None:
        self._factory = factory
        self._pipelines = pipelines

    def build(
        self,
        name: str | Event,
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
        factory = self._factory
        linker = factory.linker
        try:
            link = linker.link_owner if owner else linker.link if identity is None else linker.link_whole(identity)
            make = factory.make_observed if observers.present else factory.make
            return make(link, name, attributes, usr, account, session)
        except Exception as error:
            factory.drop(name, None, error)
            return None

    def batch(self) -> BatchBuilder:
        """Return what builds the events of one operation, each as `build(owner=True)` would.

        Who acts, and when, is found out at the first of them, so it must not change until the last.
        """
        factory = self._factory
        link = factory.linker.link_owners()

        def build(
            name: str | Event,
            attributes: Mapping[str, Any] | None = None,
            usr: Id | None = None,
            account: Id | None = None,
            session: Id | None = None,
        ) -> BuiltEvent | None:
            try:
                make = factory.make_observed if observers.present else factory.make
                return make(link, name, attributes, usr, account, session)
            except Exception as error:
                factory.drop(name, None, error)
                return None

        return BatchBuilder(build, lambda: factory.frame(link))

    def submit(self, event: BuiltEvent) -> bool:
        """Store a built event for delivery; return False if it was dropped because the buffer is full or closed."""
        try:
            return self._pipelines.current.submit(event)
        except Exception as error:
            self._factory.drop(event.name, event, error)
            return False

    def submit_all(self, events: Sequence[BuiltEvent]) -> bool:
        """Store built events, a spool's by few calls of the system; return False if one was dropped.

        Each is stored, also if one fails; in strict mode the first failure is raised then.
        """
        stored, errors = True, []
        for event in events[self._pipelines.current.submit_first(events) :]:
            try:
                stored = self.submit(event) and stored
            except Exception as error:  # raised below
                errors.append(error)
        if errors:
            raise errors[0]
        return stored

    def identity(self, *, lenient: bool = False, traits: bool = False) -> Identity:
        """Return whom an event tracked now would be linked to: for a page that tells the browser SDK, or for a job.

        Looks the ids up as `track()` does, so it may query the database; empty outside of a request and of an
        `identify()` block. An id that cannot be found is left out; in strict mode the reason is raised, unless
        `lenient`, which counts a lost identity instead. Without consent there are none, and `consent` is False.
        `traits`: with what USER_ATTRIBUTES and ACCOUNT_ATTRIBUTES say, which a page may know and a job does not carry.
        """
        ledger = self._pipelines.current.ledger
        linker = self._factory.lenient_linker if lenient else self._factory.linker
        problems: list[str] = []
        try:
            link = linker.link if traits else linker.link_ids
            found = link(None, None, None, problems.append)
            consent = linker.consent()
        except ConsentUnknownError as error:
            self._factory.say_consent_failed(error)
            return DENIED
        for problem in problems:
            ledger.say("identity", "no id: %.200r", problem)
        if problems and lenient:
            ledger.count_lost_identity("not_found")
        return msgspec.structs.replace(found, consent=consent)

    def consent(self) -> bool | None:
        """Return what `identify()`, RESPECT_GPC and CONSENT say about whoever acts now; None if nothing is said.

        For code that does something in advance for an event, or that queues work for the same person. If CONSENT
        fails, that is a no; in strict mode its error is raised.
        """
        try:
            return self._factory.linker.consent()
        except ConsentUnknownError as error:
            self._factory.say_consent_failed(error)
            return False

    def count_lost_identity(self, reason: LostIdentityReason) -> None:
        """Count that a job runs for nobody, or for somebody without a session; said in the log once a minute."""
        self._pipelines.current.ledger.count_lost_identity(reason)

    def drop_invalid(self, name: str | Event, error: Exception) -> None:
        """Count an event that could not be made because of `error`; raise that in strict mode.

        For code that works out what an event says before it calls `track()`, such as a decorator's callables.
        """
        self._factory.drop_invalid(name, error)

    def say(self, about: str, message: str, *values: object) -> None:
        """Log a warning, at most once a minute about the same thing. Never put a key, an id or an attribute into it."""
        self._pipelines.current.ledger.say(about, message, *values)
