"""What is known of one event class: what the plan says of it, and how its events are written and checked."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import msgspec

from dd_pa.capture.attributes import MAX_ATTRIBUTES, RESERVED
from dd_pa.errors import PlanError
from dd_pa.plan import wire
from dd_pa.plan.annotations import AnnotationReader
from dd_pa.plan.class_members import members_of
from dd_pa.plan.model import Deprecated, Field, PlannedEvent, Type, walk

SMALL = 2 * MAX_ATTRIBUTES
"""Bytes in which there cannot be more attributes than an event may have, so that they need not be counted."""


class EventSchema:
    """Belongs to an event class. Its annotations are read when they can be: they may name a class of further down."""

    def __init__(
        self,
        kind: type[msgspec.Struct],
        *,
        name: str | None,
        owner: str,
        deprecated: Deprecated | None,
        names: Mapping[str, Any] | None,
    ) -> None:
        self.kind = kind
        self.name = name
        """`event.name`; None for a class that others inherit from."""

        self.owner = owner
        self.deprecated = deprecated
        self._names = names
        self._fields: dict[str, Field] | None = None
        self._is_plain = False
        self._check: Any = None

    @property
    def label(self) -> str:
        """What the class is called in errors."""
        return self.kind.__qualname__

    def read(self) -> None:
        """Read the annotations. Raises `PlanError`, and `NameError` for a name that means nothing yet."""
        members = members_of(self.kind, self._names)
        for member in members or ():
            if member.name.partition(".")[0] in RESERVED:
                fix = f"choose another name, such as {member.name}_name"
                raise PlanError(f"{self.label}.{member.name}", f"is a reserved name: {fix}")
        reader = AnnotationReader(self._names)
        fields = reader.fields(members or (), self.label)
        try:
            self._check = wire.decoder(self.label, fields).decode
        except (TypeError, ValueError) as error:  # limits that do not fit their types
            raise PlanError(self.label, str(error)) from None
        self._fields, self._is_plain, self._names = fields, reader.is_plain, None

    @property
    def fields(self) -> Mapping[str, Field]:
        """The fields by their names on the wire. Raises `PlanError`."""
        if self._fields is None:
            try:
                self.read()
            except NameError as error:
                fix = "import it where the class is made, and not for type checkers only"
                raise PlanError(self.label, f"{error}: {fix}") from None
        return self._fields or {}

    @cached_property
    def is_plain(self) -> bool:
        """Whether the encoder writes the events as they are to be sent. Raises `PlanError`."""
        _ = self.fields
        return self._is_plain

    @cached_property
    def check(self) -> Any:
        """What raises `msgspec.ValidationError` for encoded attributes that are not as the class says."""
        _ = self.fields
        return self._check

    @cached_property
    def personal(self) -> tuple[tuple[str, ...], ...]:
        """The paths of personal data."""
        return tuple(path for path, field in walk(self.fields) if field.personal)

    @cached_property
    def is_open(self) -> bool:
        """Whether values may be of classes that the plan does not know, and `check` would not tell."""
        return any(_is_open(field.types) for _, field in walk(self.fields))

    @property
    def planned(self) -> PlannedEvent:
        """The event as the plan has it. Raises `PlanError`."""
        return PlannedEvent(
            name=self.name or "",
            fields=self.fields,
            description=inspect.cleandoc(self.kind.__doc__ or ""),
            owner=self.owner,
            deprecated=self.deprecated,
            source=f"{self.kind.__module__}.{self.label}",
        )


def _is_open(types: tuple[Type, ...]) -> bool:
    kinds = [kind.kind for kind in types]
    holders = sum(kind in ("object", "map") for kind in kinds)
    return "any" in kinds or holders > 1 or kinds.count("list") > 1 or any(_is_open(kind.items) for kind in types)
