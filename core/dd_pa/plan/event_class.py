"""`Event`: the class of which an application's events are subclasses."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from types import FrameType
from typing import Any, ClassVar, TypeVar, dataclass_transform

import msgspec

from dd_pa.capture.event import checked_name
from dd_pa.errors import EventError, PlanError
from dd_pa.plan import registry
from dd_pa.plan.event_schema import EventSchema
from dd_pa.plan.model import Deprecated

_EventT = TypeVar("_EventT", bound="EventType")
_OPTIONS = ("frozen", "rename")


class EventType(msgspec.StructMeta):
    """The type of event classes: makes and checks them."""

    __schema__: EventSchema

    def __new__(
        mcls: type[_EventT],
        class_name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        /,
        *,
        name: str | None = None,
        owner: str | None = None,
        deprecated: Deprecated | str | None = None,
        **options: Any,
    ) -> _EventT:
        label = namespace.get("__qualname__", class_name)
        unknown = [option for option in options if option not in _OPTIONS]
        if unknown:
            raise PlanError(
                label, f"{unknown[0]}= is no option of an event; there are name, owner, deprecated and rename"
            )
        made = super().__new__(mcls, class_name, bases, namespace, **{**options, "frozen": True, "kw_only": True})
        kind: Any = made
        inherited = next((base.__schema__.owner for base in bases if isinstance(base, EventType)), "")
        made.__schema__ = schema = EventSchema(
            kind,
            name=None if name is None else _checked(label, name),
            owner=inherited if owner is None else owner,
            deprecated=_deprecated(label, deprecated),
            names=_names_around(sys._getframe(1)),
        )
        if getattr(made, "__parameters__", None):
            raise PlanError(label, "is generic: an event has fixed types; make a class for each")
        with suppress(NameError):  # of a class further down; asked again at the first event
            schema.read()
        registry.add(schema)
        return made


def said_event(kind: Any, values: Mapping[str, Any]) -> Any:
    """Return an event, or a part of one, of values by name. Raises `EventError` for one that is missing or unknown."""
    try:
        return kind(**values)
    except TypeError as error:
        raise EventError(kind.__name__, str(error)) from error


def event_name(given: object) -> Any:
    """Return the name of a typed event, or of its class; anything else is a name already, as far as this can tell."""
    kind: type = given if isinstance(given, EventType) else type(given)
    if not isinstance(kind, EventType):
        return given
    return kind.__schema__.name or f"<{kind.__schema__.label}>"


def _checked(label: str, name: str) -> str:
    try:
        return checked_name(name)
    except EventError as error:
        raise PlanError(label, f"name={name!r} {error.problem}, such as 'order.placed'") from None


def _deprecated(label: str, given: Deprecated | str | None) -> Deprecated | None:
    try:
        return Deprecated(given) if isinstance(given, str) else given
    except ValueError as error:
        raise PlanError(label, f"deprecated={error}") from None


def _names_around(frame: FrameType) -> dict[str, Any] | None:
    """Return the local names where a class is made in a function: its annotations may mean them."""
    return None if frame.f_locals is frame.f_globals else dict(frame.f_locals)


@dataclass_transform(field_specifiers=(msgspec.field,), kw_only_default=True, frozen_default=True)
class Event(msgspec.Struct, metaclass=EventType, frozen=True):
    """An event of the tracking plan: its class says what it is called, and what it carries.

    `class OrderPlaced(Event, name="order.placed", owner="shop")` with fields as in a dataclass, all given by keyword;
    the docstring is the description. `track(OrderPlaced(total=Decimal("89.50")))` sends it. `owner` and `deprecated`
    are for the plan; a class without `name` is one to inherit from. Raises `PlanError` where the class is made.
    """

    __schema__: ClassVar[EventSchema]
