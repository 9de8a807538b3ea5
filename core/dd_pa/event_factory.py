"""How an event comes to be: whether there may be one, whose it is, what BEFORE_SEND says; and why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from dd_pa.capture.batch import EventFrame
from dd_pa.capture.before_send import Drafts, decoded
from dd_pa.capture.event import BuiltEvent, shown_name
from dd_pa.capture.id_text import Id
from dd_pa.capture.linking import ConsentUnknownError, Link, Linker, OnProblem
from dd_pa.capture.person import Identity, IdentityCallable
from dd_pa.capture.sampling import Sampling, Switch
from dd_pa.capture.traits import TraitsReader, Whose
from dd_pa.errors import EventError, OffPlanError
from dd_pa.observe import panel_log
from dd_pa.plan.event_class import Event, event_name
from dd_pa.plan.event_writer import EventWriter
from dd_pa.process import forks, testbed
from dd_pa.settings.settings import Settings

if TYPE_CHECKING:
    from dd_pa.delivery.ledger import DropReason
    from dd_pa.delivery.pipeline import Pipeline
    from dd_pa.delivery.process_pipelines import ProcessPipelines


class EventFactory:
    """Makes the events of one emitter, and counts those that cannot be made."""

    def __init__(
        self, sender: object, settings: Settings, identity: IdentityCallable | None, pipelines: ProcessPipelines
    ) -> None:
        asks: dict[str, Any] = {"asks_consent": settings.asks_consent, "needs_consent": settings.consent is not None}
        traits = _traits_reader(settings)
        self.linker = Linker(identity, strict=settings.strict, traits=traits, **asks)
        self.lenient_linker = Linker(identity, strict=False, **asks)
        self.link = self.linker.link if traits is not None else self.linker.link_ids
        """Finds whose an event is, with no more work than the settings ask for."""

        before_send = settings.before_send
        self._drafts = Drafts(before_send, self.linker, strict=settings.strict) if callable(before_send) else None
        self._writer = EventWriter(settings)
        self._sender = sender
        self._enabled = _switch(settings)
        self._sampling = Sampling(settings.sample_rates) if settings.sample_rates else None
        self._reviews = self._drafts is not None or self._sampling is not None
        """Each event is to be looked at, whoever it is of."""

        self._strict = settings.strict
        self._pipelines = pipelines

    def make(
        self,
        link: Link,
        name: str | Event,
        attributes: Mapping[str, Any] | None,
        usr: Id | None,
        account: Id | None,
        session: Id | None,
    ) -> BuiltEvent | None:
        """Return the event, or None (counted) if there may be none or nobody to link it to; raise if it is bad."""
        if self._enabled is not True and not self._is_on():
            return None
        pipeline = self._pipelines.latest
        if pipeline.generation != forks.generation:
            pipeline = self._pipelines.current
        builder, on_problem = pipeline.builder, pipeline.on_problem
        identity = link(usr, account, session, on_problem)
        whose = builder.links.get(identity)  # known of somebody who was reviewed before
        if whose is None or self._reviews or type(name) is not str or (start := builder.starts.get(name)) is None:
            return self._make_reviewed(pipeline, name, attributes, identity)
        return builder.join(name, attributes, start, whose, on_problem)

    def _make_reviewed(
        self, pipeline: Pipeline, name: str | Event, attributes: Mapping[str, Any] | None, identity: Identity
    ) -> BuiltEvent | None:
        """Make an event that is looked at as a whole, before anything is known of it."""
        reviewed = self._reviewed(pipeline, name, attributes, identity)
        if reviewed is None:
            return None
        event, repairs = pipeline.builder.build(*reviewed)
        if repairs:
            pipeline.on_problem(*repairs)
        return event

    def _reviewed(
        self, pipeline: Pipeline, name: str | Event, attributes: Mapping[str, Any] | None, identity: Identity
    ) -> tuple[str, Mapping[str, Any] | None, Identity, bytes | None] | None:
        """Return an event's name, attributes and person as they are to be sent, and the attributes of a typed one
        encoded; None (counted) if it is not to be sent.
        """
        if identity.consent is False or (
            self._sampling is not None and not self._sampling.keeps(event_name(name), identity)
        ):
            reason: DropReason = "consent" if identity.consent is False else "sampled"
            pipeline.ledger.count_dropped(reason, None, event_name(name))
            return None
        written = None
        if isinstance(name, Event):
            name, written = self._written(name, attributes, pipeline)
        if self._drafts is not None:
            given = attributes if written is None else decoded(written)
            reviewed = self._drafts.reviewed(name, given, identity, pipeline.on_problem)
            if reviewed is None:
                pipeline.ledger.count_dropped("before_send", None, name)
                return None
            (name, attributes, identity), written = reviewed, None
        if not (identity.usr or identity.account or identity.session):
            pipeline.ledger.count_dropped("unlinked", None, name)
            return None
        return name, attributes, identity, written

    def _written(self, event: Event, attributes: object, pipeline: Pipeline) -> tuple[str, bytes]:
        """Return a typed event's name and its attributes, encoded."""
        if attributes is not None:
            raise EventError("attributes", f"of a typed event are its fields: declare them in {type(event).__name__}")
        written = self._writer.write(event)
        if written.repairs:
            pipeline.on_problem(*written.repairs)
        if written.off_plan is not None:
            if self._strict or testbed.is_capturing(self._sender):
                raise OffPlanError(*written.off_plan)
            pipeline.ledger.count_off_plan(written.name, ": ".join(written.off_plan))
        return written.name, written.attributes

    def _is_on(self) -> bool:
        return isinstance(self._enabled, Switch) and self._enabled.is_on(self._pipelines.current.ledger.say)

    def make_observed(
        self,
        link: Link,
        name: str | Event,
        attributes: Mapping[str, Any] | None,
        usr: Id | None,
        account: Id | None,
        session: Id | None,
    ) -> BuiltEvent | None:
        """Build an event that somebody looks at: a debug panel, or a test."""
        shown = event_name(name)
        with panel_log.step(shown) as step:
            if self._enabled is not True and not self._is_on():
                testbed.disabled(self._sender, shown)
                return None

            def noted(usr: Id | None, account: Id | None, session: Id | None, on_problem: OnProblem) -> Identity:
                found = link(usr, account, session, on_problem)
                if step is not None:
                    step.ids = self.linker.origins({"usr": usr, "account": account, "session": session}, found)
                return found

            try:
                event = self.make(noted, name, attributes, usr, account, session)
            except Exception as error:
                if self._strict:
                    panel_log.invalid(shown, _shown(error), raises=True)
                self.drop(name, None, error)  # here, where the step is open
                return None
            if step is not None:
                step.event = event
            if event is not None:
                testbed.built(self._sender, event)
            return event

    def frame(self, link: Link) -> EventFrame | None:
        """Return what the events have in common that are linked like this; None if each is to be made by itself."""
        if self._drafts is not None or self._sampling is not None or panel_log.watching:
            return None
        if self._enabled is not True and not self._is_on():
            return None
        problems: list[str] = []
        try:
            identity = link(None, None, None, problems.append)
        except Exception:  # each event says it
            return None
        is_linked = identity.consent is not False and (identity.usr or identity.account or identity.session)
        if problems or not is_linked:
            return None
        on_built = partial(testbed.built, self._sender) if testbed.watching else None
        return EventFrame(self._pipelines.current.builder, identity, on_built)

    def drop(self, name: str | Event, event: BuiltEvent | None, error: Exception) -> None:
        """Count an event that could not be built, or not be stored if it was; raise the reason in strict mode."""
        if self._strict or isinstance(error, OffPlanError):
            raise error
        name = event_name(name)
        ledger = self._pipelines.current.ledger
        if event is not None:  # a mistake of ours, or the system's
            ledger.say("failed", "an event could not be stored: %s", type(error).__name__)
            ledger.count_dropped("failed", event)
        elif isinstance(error, ConsentUnknownError):
            self.say_consent_failed(error)
            ledger.count_dropped("consent", None, name)
        else:
            self.drop_invalid(name, error)

    def drop_invalid(self, name: str | Event, error: Exception) -> None:
        """Count an event that could not be made because of `error`; raise that in strict mode."""
        name, problem = event_name(name), _shown(error)
        if panel_log.watching:
            panel_log.invalid(name, problem, raises=self._strict)
        if self._strict:
            raise error
        ledger = self._pipelines.current.ledger
        ledger.say("invalid event", "event %s cannot be sent: %.200r", shown_name(name), problem)
        ledger.count_dropped("invalid", None, name)

    def say_consent_failed(self, error: ConsentUnknownError) -> None:
        """Log why an event is dropped whose person could not be asked."""
        self._pipelines.current.ledger.say("consent", "CONSENT failed, so events are dropped: %s", error)


def _switch(settings: Settings) -> Switch | bool:
    ask = settings.enabled
    return Switch(ask, strict=settings.strict) if callable(ask) else bool(ask)


def _traits_reader(settings: Settings) -> TraitsReader | None:
    asked: dict[Whose, object] = {"usr": settings.user_attributes, "account": settings.account_attributes}
    wanted: frozenset[Whose] = frozenset(whose for whose, setting in asked.items() if setting is not None)
    if not wanted and not settings.anonymous_id:
        return None
    return TraitsReader(strict=settings.strict, wanted=wanted, anonymous_id=settings.anonymous_id)


def _shown(error: Exception) -> str:
    """Return what may be logged: the text of any other error may quote a value, or be made by the code that failed."""
    return str(error) if isinstance(error, EventError) else type(error).__name__
