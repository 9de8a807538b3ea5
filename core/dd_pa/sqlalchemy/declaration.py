"""What an application says about the events of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from sqlalchemy import Column
from sqlalchemy.orm import ColumnProperty, Mapper, MapperProperty, RelationshipProperty

from dd_pa.capture.attributes import RESERVED
from dd_pa.capture.person import Identity

Attributes = Mapping[str, Any] | Sequence[str] | Callable[[Any], Mapping[str, Any] | None] | None
"""A mapping, names of columns, or a callable of the instance."""

Condition = Callable[[Any], bool] | None

Ids = Identity | Mapping[str, Any] | None
"""Whose event it is: `usr`, `account`, `session` and `consent`, or some of them."""

Owner = Callable[[Any], Ids] | None


class ModelOptions(TypedDict, total=False):
    """The keywords of `track_model`; see `Declaration`."""

    created: str | None
    updated: Mapping[str, str] | None
    deleted: str | None
    attributes: Attributes
    when: Condition
    identity: Owner


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Declaration:
    """One call of `track_model`. What can be checked without the model is checked when it is made."""

    created: str | None = None
    """Event of a new row."""

    updated: Mapping[str, str] | None = None
    """Attributes that are followed, and the event of their change."""

    deleted: str | None = None
    """Event of a row that is deleted."""

    attributes: Attributes = None
    """Attributes of the events."""

    when: Condition = None
    """Decides about an instance."""

    identity: Owner = None
    """Knows whose event it is."""

    def __post_init__(self) -> None:
        names: list[Any] = [self.created, self.deleted, *(self.updated or {}).values()]
        if all(name is None for name in names):
            raise TypeError("track_model needs the name of an event: created=, updated= or deleted=")
        if not all(isinstance(name, str | None) and name != "" for name in names):
            raise TypeError("the names of a model's events are texts: track_model(created='order.placed')")
        if isinstance(self.attributes, str):
            raise TypeError(f"attributes={self.attributes!r} is one text: give a list of column names")

    @property
    def by_event(self) -> dict[str, list[str]]:
        """The followed attributes of each event; those with the same event share one."""
        found: dict[str, list[str]] = {}
        for name, event in (self.updated or {}).items():
            found.setdefault(event, []).append(name)
        return found

    @property
    def columns(self) -> Sequence[str]:
        """Names of the columns that every event carries."""
        attributes = self.attributes
        return () if attributes is None or callable(attributes) or isinstance(attributes, Mapping) else attributes

    def check_names(self, mapper: Mapper[Any]) -> None:
        """Raise `ValueError` for an attribute that the class does not have."""
        for name in (*(self.updated or ()), *self.columns):
            if not mapper.has_property(name):
                raise _refusal(mapper, name, "is not mapped")
        if self.columns and mapper.class_.__name__.lower() in RESERVED:
            raise ValueError(
                f"track_model: attributes of {mapper.class_.__name__} would be sent as "
                f"{mapper.class_.__name__.lower()!r}, which is reserved; give a callable that returns another name"
            )

    def check_kinds(self, mapper: Mapper[Any]) -> None:
        """Raise `ValueError` for an attribute whose changes cannot be followed. Relationships must be configured."""
        self.check_names(mapper)
        for name in self.updated or ():
            found = mapper.get_property(name)
            if not is_column(found) and not is_many_to_many(found):
                problem = "is neither a column nor a many-to-many relationship; name the column behind it"
                raise _refusal(mapper, name, problem)
        for name in self.columns:
            if not is_column(mapper.get_property(name)):
                raise _refusal(mapper, name, "is no column; give a callable")


def is_column(found: MapperProperty[Any]) -> bool:
    return isinstance(found, ColumnProperty) and isinstance(found.columns[0], Column)


def is_many_to_many(found: MapperProperty[Any]) -> bool:
    return isinstance(found, RelationshipProperty) and found.secondary is not None


def _refusal(mapper: Mapper[Any], name: str, problem: str) -> ValueError:
    return ValueError(f"track_model: {mapper.class_.__name__}.{name} {problem}")
