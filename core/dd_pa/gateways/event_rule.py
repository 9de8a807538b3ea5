"""An event that an application declares on something that happens anyhow: on a view, or on a signal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from dd_pa.capture.person import Id

if TYPE_CHECKING:
    from dd_pa.emitter import Emitter

Condition = Callable[..., bool]


class RuleAnswers(NamedTuple):
    """What is passed to `track()` beside the name."""

    attributes: Mapping[str, Any] | None
    usr: Id | None
    account: Id | None
    """None leaves it to the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRule:
    """Name, attributes, whose, and when. The callables are all given what the happening gives."""

    name: str
    """`event.name`."""

    attributes: Mapping[str, Any] | Callable[..., Mapping[str, Any] | None] | None = None
    """Its attributes, or a callable that returns them."""

    when: Condition | None = None
    """Decides whether there is an event."""

    usr: Id | Callable[..., Id | None] | None = None
    """Who acted, or a callable that knows."""

    account: Id | Callable[..., Id | None] | None = None
    """For which account, or a callable that knows."""

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
            said = (self.attributes, self.usr, self.account)
            return RuleAnswers(*(_answer(value, given, named) for value in said))
        except Exception as error:
            emitter.integration.drop_invalid(self.name, error)
            return None


def _answer(said: Any, given: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
    return said(*given, **named) if callable(said) else said
