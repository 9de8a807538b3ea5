"""What an application says about the events of a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, TypedDict

from dd_pa.capture.attributes import RESERVED
from dd_pa.capture.id_text import Id
from dd_pa.capture.person import Identity
from dd_pa.model_events.callable_arguments import of_three
from dd_pa.model_events.row_event import row_names
from dd_pa.plan.event_class import Event, EventType

Change: TypeAlias = Mapping[str, Mapping[str, Any]]
"""What has changed: `{"status": {"old": "new", "new": "paid"}}`, or `{"tags": {"action": "added", …}}`."""

MAX_PKS = 100
"""Most keys that the change of a relation lists; `count` says how many there were."""

EventOrName: TypeAlias = "str | type[Event]"
"""The name of an event, or the class of a typed one."""

Updated: TypeAlias = "Mapping[str, EventOrName | Mapping[Any, EventOrName]]"
"""Followed fields, and the event of their change: one for any, or one for each new value (a transition)."""

Attributes: TypeAlias = "Mapping[str, Any] | Sequence[str] | Callable[..., Mapping[str, Any] | None] | None"
"""A mapping, names of columns, or a callable."""

Condition: TypeAlias = "Callable[..., bool] | None"

Ids: TypeAlias = "Identity | Mapping[str, Id | None] | None"
"""Whose event it is: `usr`, `account`, `session` and `consent`, or some of them."""

Owner: TypeAlias = "Callable[..., Ids] | None"


class DeclaredEvent(NamedTuple):
    """One event of a declaration, for a list of them."""

    name: str
    cause: str
    """What brings it about: `created`, `deleted`, `status` or `status → paid`."""


class ModelOptions(TypedDict, total=False):
    """The keywords of `track_model`; see `Declaration`."""

    created: EventOrName | None
    updated: Updated | None
    deleted: EventOrName | None
    attributes: Attributes
    when: Condition
    identity: Owner
    label: str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Declaration:
    """One call of `track_model`. What can be checked without the model is checked when it is made.

    Each callable may take the instance, the event's name and the change (None where nothing was updated), in this
    order; those that it does not ask for are not given. Here they take all three.
    """

    created: Any = None
    """Event of a new row; a class is kept as its name, as everywhere here."""

    updated: Any = None
    """Fields that are followed, and the events of their changes."""

    deleted: Any = None
    """Event of a row that is deleted."""

    attributes: Attributes = None
    """Attributes of the events."""

    when: Condition = None
    """Can say no to an event."""

    identity: Owner = None
    """Knows whose event it is."""

    label: str | None = None
    """The name under which columns are sent; without it that of the class which was declared."""

    typed: dict[str, type[Event]] = dataclasses.field(default_factory=dict)
    """The classes of typed events, by name; found among the others."""

    def __post_init__(self) -> None:
        self._keep_classes()
        names: list[Any] = [event.name for event in self.events]
        if not any(names):
            raise TypeError("track_model needs the name of an event: created=, updated= or deleted=")
        if not all(isinstance(name, str) and name for name in names):
            raise TypeError("the names of a model's events are texts: track_model(created='order.placed')")
        if isinstance(self.attributes, str):
            raise TypeError(f"attributes={self.attributes!r} is one text: give a list of field names")
        label: Any = self.label
        if label is not None and not (isinstance(label, str) and label):
            raise TypeError(f"label={label!r} is no name: track_model(label='order')")
        for role in ("attributes", "when", "identity"):
            given = getattr(self, role)
            if callable(given):
                object.__setattr__(self, role, of_three(role, given))

    def _keep_classes(self) -> None:
        for role in ("created", "updated", "deleted"):
            object.__setattr__(self, role, self._named(getattr(self, role)))
        if self.typed and self.columns:
            raise TypeError("attributes=[…] is for events by name: a typed event takes what its class has as fields")

    def _named(self, given: Any) -> Any:
        """Return what was given with classes replaced by their names; keep the classes."""
        if isinstance(given, Mapping):
            return {key: self._named(value) for key, value in given.items()}
        if not isinstance(given, EventType):
            return given
        if given.__schema__.name is None:
            raise TypeError(
                f"{given.__name__} has no name of an event: class {given.__name__}(Event, name='order.placed')"
            )
        kind: Any = given
        self.typed[given.__schema__.name] = kind
        return given.__schema__.name

    def check_rows(self, label: str, has: Callable[[str], bool]) -> None:
        """Raise `ValueError` if rows lack what a typed event needs, and no callable says it."""
        if self.attributes is not None:
            return
        for kind in self.typed.values():
            for name, required in row_names(kind, label):
                if required and not has(name):
                    fix = "give it a default, or attributes= a callable that returns the event"
                    raise ValueError(f"track_model: {label} has no {name!r} for {kind.__name__}.{name}: {fix}")

    def names_of_rows(self, label: str) -> Sequence[str]:
        """Return what typed events take from a row."""
        kinds = self.typed.values() if self.attributes is None else ()
        return tuple({name: None for kind in kinds for name, _ in row_names(kind, label)})

    @property
    def events(self) -> Iterator[DeclaredEvent]:
        """All events, as they were given."""
        for cause in ("created", "deleted"):
            name = getattr(self, cause)
            if name is not None:
                yield DeclaredEvent(name, cause)
        for field, given in (self.updated or {}).items():
            if isinstance(given, Mapping):
                yield from (DeclaredEvent(name, f"{field} → {value}") for value, name in given.items())
            else:
                yield DeclaredEvent(given, field)

    @property
    def followed(self) -> Sequence[str]:
        """The names of the fields whose changes are events."""
        return tuple(self.updated or ())

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns that every event carries."""
        attributes = self.attributes
        return () if attributes is None or callable(attributes) or isinstance(attributes, Mapping) else attributes

    def check_label(self, label: str) -> None:
        """Raise `ValueError` if columns cannot be sent under this name, which is that of a class."""
        if self.columns and label in RESERVED:
            raise ValueError(
                f"track_model: attributes would be sent as {label!r}, which is reserved; give a callable that returns "
                f"another name, or label='…'"
            )
        if self.columns and label == "changed" and self.updated:
            raise ValueError(
                "track_model: attributes would be sent as 'changed', where the change is; give a label='…'"
            )

    def events_of(self, change: Change) -> Mapping[str, Change]:
        """Return the events of a change, each with its part of it: fields with the same event share one."""
        found: dict[str, dict[str, Mapping[str, Any]]] = {}
        for name, entry in change.items():
            event = self._event_of(name, entry)
            if event is not None:
                found.setdefault(event, {})[name] = entry
        return found

    def _event_of(self, name: str, entry: Mapping[str, Any]) -> str | None:
        given = (self.updated or {}).get(name)
        if not isinstance(given, Mapping):
            return given
        reached = entry.get("new", entry.get("action"))  # of a relation, what was done to it
        return next((event for value, event in given.items() if _is_same(value, reached)), None)


def _is_same(value: Any, reached: Any) -> bool:
    """Tell whether a transition leads here: `True` is not 1, as in the database's own types."""
    if isinstance(value, bool) is not isinstance(reached, bool):
        return False
    try:
        return bool(value == reached)
    except Exception:  # a value whose comparison fails is none that was declared
        return False
