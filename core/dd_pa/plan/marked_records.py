"""Personal data in values of classes that the plan does not expect where they are: subclasses, or anything in an `Any`.

Their classes mark it as well, and PERSONAL_DATA is about all that is marked.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from dd_pa.capture.attributes import AttributeCleaner
from dd_pa.capture.before_send import decoded
from dd_pa.capture.foreign_values import record
from dd_pa.errors import PlanError
from dd_pa.plan.annotations import AnnotationReader
from dd_pa.plan.class_members import members_of
from dd_pa.plan.model import walk
from dd_pa.plan.personal_data import Path, PersonalData, Treat, treat_at

_NUMBER = re.compile(r"\[[0-9]+\]")


class MarkedRecords:
    """Reads records, and treats what their own classes mark, but where the plan says it as well."""

    def __init__(self, planned: Sequence[Path], treat: Treat) -> None:
        self._planned = planned
        self._treat = treat

    def __call__(self, value: Any, path: str) -> Any:
        """Return what is to be sent of a record that lies at a path of the event."""
        members = record(value)
        at = tuple(_NUMBER.sub(".[]", path).split("."))
        for marked in _marks(type(value)):
            if not any(_covers(planned, (*at, *marked)) for planned in self._planned):
                if not marked:  # a model of one value
                    return None
                treat_at(members, marked, lambda found: self._treat(_on_the_wire(found)))
        return members


def _covers(planned: Path, path: Path) -> bool:
    return len(planned) == len(path) and all(said in ("*", part) for said, part in zip(planned, path, strict=True))


def _on_the_wire(value: Any) -> Any:
    clean = AttributeCleaner(strict=False).clean({"value": value})
    return decoded(msgspec.json.Encoder(decimal_format="number").encode(clean)).get("value")


_known: WeakKeyDictionary[type, tuple[Path, ...]] = WeakKeyDictionary()


def _marks(kind: type) -> tuple[Path, ...]:
    """Return the paths of what a class marks. Raises `NameError` if its annotations cannot be read."""
    found = _known.get(kind)
    if found is None:
        found = _known[kind] = tuple(_found(kind))
    return found


def _found(kind: Any) -> Iterator[Path]:
    is_one_value = getattr(kind, "__pydantic_root_model__", False)
    for member in members_of(kind) or ():
        try:
            fields = AnnotationReader().fields([member], "")
        except PlanError:  # no class for a plan; but a mark is one
            paths: list[Path] = [(member.name,)] if _is_marked(member.annotation, set()) else []
        else:
            paths = [path for path, field in walk(fields) if field.personal]
        yield from (path[1:] if is_one_value else path for path in paths)


def _is_marked(annotation: Any, seen: set[Any]) -> bool:
    """Tell whether there is a mark in an annotation, or in a class that it names."""
    if any(isinstance(item, PersonalData) for item in getattr(annotation, "__metadata__", ())):
        return True
    inside = [*typing.get_args(annotation), getattr(annotation, "__value__", None)]
    if isinstance(annotation, type) and annotation not in seen:
        seen.add(annotation)
        inside += [member.annotation for member in members_of(annotation) or ()]
    return any(_is_marked(each, seen) for each in inside if each is not None)
