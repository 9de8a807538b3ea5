"""An event that an application declares on something that happens anyhow: on a view, or on a signal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from dd_pa.capture.id_text import Id
from dd_pa.plan.event_class import Event, EventType, event_name, said_event

if TYPE_CHECKING:
    from dd_pa.emitter import Emitter

Condition = Callable[..., bool]

AttributesOrEvent = Mapping[str, Any] | Callable[..., Mapping[str, Any] | Event | None] | None
"""The attributes of an event, or a callable of what the happening gives, that returns them or a typed event."""


class RuleAnswers(NamedTuple):
    """What is passed to `track()`."""

    event: str | Event
    attributes: Mapping[str, Any] | None
    usr: Id | None
    account: Id | None
    """None leaves it to the request."""


class EventRule(msgspec.Struct, frozen=True, kw_only=True):
    """Name, attributes, whose, and when. The callables are all given what the happening gives."""

    event: str | Event | type[Event]
    """`event.name`; or a typed event, or the class of one, whose fields the attributes are then."""

    attributes: AttributesOrEvent = None
    """Its attributes, or a callable that returns them, or the typed event."""

    when: Condition | None = None
    """Decides whether there is an event."""

    usr: Id | Callable[..., Id | None] | None = None
    """Who acted, or a callable that knows."""

    account: Id | Callable[..., Id | None] | None = None
    """For which account, or a callable that knows."""

    def __post_init__(self) -> None:
        if not isinstance(self.event, (str, Event, EventType)):
            raise TypeError("the name of an event is needed, or a class of typed ones: 'report.viewed', ReportViewed")

    @property
    def name(self) -> str:
        """`event.name`."""
        return str(event_name(self.event))

    def ask(
        self, emitter: Emitter, *given: Any, usually: Condition | None = None, named: Mapping[str, Any] | None = None
    ) -> RuleAnswers | None:
        """Ask the callables; return None if there is no event. `usually` decides where the rule has no `when`.

        An error of a callable is raised in strict mode; otherwise the event is dropped and counted.
        """
        named = named or {}
        when = usually if self.when is None else self.when
        try:
            if when is not None and not when(*given, **named):
                return None
            attributes, *ids = (_answer(value, given, named) for value in (self.attributes, self.usr, self.account))
            return RuleAnswers(*_tracked(self.event, attributes), *ids)
        except Exception as error:
            emitter.integration.drop_invalid(self.name, error)
            return None


def _tracked(event: Any, attributes: Any) -> tuple[str | Event, Mapping[str, Any] | None]:
    if isinstance(attributes, Event):
        return attributes, None
    if isinstance(event, EventType):
        return said_event(event, attributes or {}), None
    return event, attributes


def _answer(said: Any, given: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
    return said(*given, **named) if callable(said) else said
