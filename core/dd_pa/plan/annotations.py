"""What the annotations of a class say about the types of its values on the wire.

Raises `PlanError`, with the path and the fix, for what cannot be sent, or of which nobody could say what is sent.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import types
import typing
import uuid
from collections import abc, deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from dd_pa.capture.attributes import MAX_DEPTH
from dd_pa.errors import PlanError
from dd_pa.plan.class_members import Member, annotated, is_model, members_of, object_type
from dd_pa.plan.model import NULL, Deprecated, Field, Type, merged
from dd_pa.plan.personal_data import PersonalData

_PLAIN: dict[Any, Type] = {
    None: NULL,
    type(None): NULL,
    bool: Type(kind="boolean"),
    int: Type(kind="integer"),
    float: Type(kind="number"),
    str: Type(kind="text"),
    Decimal: Type(kind="number"),
    dt.date: Type(kind="text", format="date"),
    uuid.UUID: Type(kind="text", format="uuid"),
}
"""Types that the encoder writes as dd-pa does."""

_WALKED: dict[Any, Type] = {
    Any: Type(kind="any"),
    object: Type(kind="any"),
    dt.datetime: Type(kind="text", format="date-time"),
    dt.time: Type(kind="text", format="time"),
    dt.timedelta: Type(kind="number"),
}
"""Types whose values have to be looked at."""

_LISTS = (
    list,
    tuple,
    set,
    frozenset,
    deque,
    abc.Sequence,
    abc.Collection,
    abc.Set,
    abc.MutableSequence,
    abc.MutableSet,
)
_MAPS = (dict, abc.Mapping, abc.MutableMapping)
_WRAPPERS = (typing.Required, typing.NotRequired, typing.Final, getattr(typing, "ReadOnly", typing.Final))
_LIMITS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "pattern": "pattern",
    "min_length": "min",
    "max_length": "max",
}
_FIXES: dict[Any, str] = {
    bytes: "give a text: bytes.hex(), or base64",
    bytearray: "give a text: bytes.hex(), or base64",
    memoryview: "give a text: bytes.hex(), or base64",
    complex: "give its parts as two fields",
}


class AnnotationReader:
    """Reads the annotations of one event class."""

    def __init__(self, names: Mapping[str, Any] | None = None) -> None:
        self._names = names
        self.is_plain = True
        """Whether the encoder writes its values just as they are to be sent, whatever they are."""

        self._classes: list[object] = []
        self._variables: Mapping[Any, Any] = {}
        self._is_personal = False
        self._deprecated: Deprecated | None = None
        self._description = ""

    def fields(self, members: Iterable[Member], path: str) -> dict[str, Field]:
        """Return the fields of a class; `path` is where it lies in the event."""
        return {
            member.name: self._field(member, f"{path}.{member.name}" if path else member.name) for member in members
        }

    def _field(self, member: Member, path: str) -> Field:
        before = self._is_personal, self._deprecated, self._description
        self._is_personal, self._deprecated, self._description = False, None, ""
        found = merged(self._types(member.annotation, path))
        field = Field(
            types=found,
            required=member.required,
            description=self._description,
            personal=self._is_personal,
            deprecated=self._deprecated,
        )
        self._is_personal, self._deprecated, self._description = before
        return field

    def _types(self, annotation: Any, path: str) -> list[Type]:
        known = _known(annotation)
        if known is not None:
            self.is_plain = self.is_plain and annotation not in _WALKED
            return [known]
        if isinstance(annotation, typing.TypeVar):
            return self._variable(annotation, path)
        if isinstance(annotation, typing.NewType):
            return self._types(annotation.__supertype__, path)
        if hasattr(annotation, "__value__"):  # `type X = …`
            with self._inside(annotation, path):
                return self._types(annotation.__value__, path)
        origin = typing.get_origin(annotation) or annotation
        read = _READERS.get(origin) if isinstance(origin, Hashable) else None
        if read is not None:
            return read(self, annotation, path)
        return self._class(annotation, path)

    def _wrapped(self, annotation: Any, path: str) -> list[Type]:
        return self._types(typing.get_args(annotation)[0], path)

    def _union(self, annotation: Any, path: str) -> list[Type]:
        members = [each for each in typing.get_args(annotation) if each is not msgspec.UnsetType]
        return [kind for each in members for kind in self._types(each, path)]

    def _literal(self, annotation: Any, path: str) -> list[Type]:
        return self._values(typing.get_args(annotation), path)

    def _variable(self, variable: Any, path: str) -> list[Type]:
        if variable not in self._variables:
            raise PlanError(path, f"is of the type variable {variable}: an event has fixed types, so say which")
        return self._types(self._variables[variable], path)

    def _annotated(self, annotation: Any, path: str) -> list[Type]:
        found = self._types(annotation.__origin__, path)
        for item in annotation.__metadata__:
            if isinstance(item, PersonalData):
                self._is_personal = True
            elif isinstance(item, Deprecated):
                self._deprecated = item
            elif isinstance(item, msgspec.Meta):
                self._description = item.description or self._description
                found = [_limited(kind, item) for kind in found]
        return found

    def _values(self, values: tuple[Any, ...], path: str) -> list[Type]:
        """Return an enumeration's types: one for its texts, one for its numbers, and so on."""
        by_kind: dict[str, list[Any]] = {}
        for value in values:
            kind = _known(type(value))
            if kind is None or type(value) in (Decimal, dt.date, uuid.UUID):
                raise PlanError(path, f"an enumeration with a value of {type(value).__name__}: give texts or numbers")
            by_kind.setdefault(kind.kind, []).append(value)
        if "number" in by_kind:
            self.is_plain = False
        valued = ("text", "integer", "number")
        return [
            Type(kind=kind, values=tuple(sorted(found)) if kind in valued else ())  # type: ignore[arg-type]
            for kind, found in by_kind.items()
        ]

    def _list(self, annotation: Any, path: str) -> list[Type]:
        arguments = typing.get_args(annotation)
        if not arguments:
            raise PlanError(path, "is a list of anything: say of what, such as list[str]")
        inside = [each for each in arguments if each is not Ellipsis and each != ()]
        return [Type(kind="list", items=self._alternatives(inside, f"{path}[]"))]

    def _alternatives(self, annotations: Iterable[Any], path: str) -> tuple[Type, ...]:
        return merged([kind for each in annotations for kind in self._types(each, path)])

    def _map(self, annotation: Any, path: str) -> list[Type]:
        arguments = typing.get_args(annotation)
        if len(arguments) != 2:
            raise PlanError(path, "is a mapping of anything: say of what, such as dict[str, int]")
        if any(kind.kind != "text" for kind in self._types(arguments[0], path)):
            raise PlanError(path, f"is a mapping with keys of {_name(arguments[0])}: names of attributes are texts")
        return [Type(kind="map", items=self._alternatives(arguments[1:], f"{path}.*"))]

    def _class(self, annotation: Any, path: str) -> list[Type]:
        kind = typing.get_origin(annotation) or annotation
        if not isinstance(kind, type):
            raise PlanError(path, f"{_name(annotation)} cannot be sent; {_fix(annotation)}")
        if issubclass(kind, enum.Enum) and not issubclass(kind, enum.Flag):
            return self._values(tuple(dict.fromkeys(item.value for item in kind)), path)
        if getattr(kind, "__pydantic_root_model__", False):  # is sent as the one value that it holds
            self.is_plain = False
            with self._inside(kind, path):
                return self._types(annotated(kind.model_fields["root"]), path)  # type: ignore[attr-defined]
        if is_model(kind) and kind.__pydantic_decorators__.model_serializers:  # type: ignore[attr-defined]
            raise PlanError(path, f"{_name(kind)} has a serializer of its own: nobody can tell what that writes")
        members = members_of(kind, self._names)
        if members is None:
            return self._subclass(kind, path)
        if getattr(getattr(kind, "__struct_config__", None), "array_like", False):
            raise PlanError(path, f"{_name(kind)} is array_like: its values would be sent without their names")
        if (
            not issubclass(kind, msgspec.Struct)
            and not dataclasses.is_dataclass(kind)
            and not typing.is_typeddict(kind)
        ):
            self.is_plain = False
        with self._inside(kind, path):
            outer, self._variables = self._variables, self._bound(kind, typing.get_args(annotation))
            fields = self.fields(members, path)
            self._variables = outer
        return [object_type(kind, fields)]

    def _bound(self, kind: type, arguments: tuple[Any, ...]) -> Mapping[Any, Any]:
        given = [self._variables.get(each, each) if isinstance(each, typing.TypeVar) else each for each in arguments]
        return dict(zip(getattr(kind, "__parameters__", ()), given, strict=False))

    def _subclass(self, kind: type, path: str) -> list[Type]:
        """Return the type of a class that is a text or number of its own."""
        if issubclass(kind, tuple) and hasattr(kind, "_fields"):
            hints = typing.get_type_hints(kind, include_extras=True)
            return [
                Type(kind="list", items=merged([found for each in hints.values() for found in self._types(each, path)]))
            ]
        base = next((base for base in (str, int, float) if issubclass(kind, base)), None)
        if base is None or issubclass(kind, enum.Flag):
            raise PlanError(path, f"{kind.__qualname__} cannot be sent; {_fix(kind)}")
        self.is_plain = False
        return [_PLAIN[base]]

    def _inside(self, kind: object, path: str) -> _Inside:
        return _Inside(self._classes, kind, path)


_READERS: dict[Any, Callable[[AnnotationReader, Any, str], list[Type]]] = {
    typing.Annotated: AnnotationReader._annotated,
    typing.Literal: AnnotationReader._literal,
    typing.Union: AnnotationReader._union,
    types.UnionType: AnnotationReader._union,
    **dict.fromkeys(_WRAPPERS, AnnotationReader._wrapped),
    **dict.fromkeys(_LISTS, AnnotationReader._list),
    **dict.fromkeys(_MAPS, AnnotationReader._map),
}


class _Inside:
    """Holds that the members of a class are read, so that none of them is that class again."""

    def __init__(self, classes: list[object], kind: object, path: str) -> None:
        self._classes, self._kind, self._path = classes, kind, path

    def __enter__(self) -> None:
        if self._kind in self._classes:
            names = " → ".join(_name(each) for each in [*self._classes, self._kind])
            raise PlanError(
                self._path, f"is cyclic ({names}): an event has an end; send an id instead, or a list of ids"
            )
        if len(self._classes) >= MAX_DEPTH:
            raise PlanError(self._path, f"lies deeper than {MAX_DEPTH} levels")
        self._classes.append(self._kind)

    def __exit__(self, *_: object) -> None:
        self._classes.pop()


def _known(annotation: Any) -> Type | None:
    try:
        return _PLAIN.get(annotation) or _WALKED.get(annotation)
    except TypeError:  # what cannot be hashed is none of them
        return None


def _limited(kind: Type, meta: msgspec.Meta) -> Type:
    given = {shown: getattr(meta, name) for name, shown in _LIMITS.items() if getattr(meta, name) is not None}
    suffix = "Items" if kind.kind == "list" else "Properties" if kind.kind == "map" else "Length"
    limits = {name + suffix if name in ("min", "max") else name: value for name, value in given.items()}
    return (
        kind if kind.kind == "null" or not limits else msgspec.structs.replace(kind, limits={**kind.limits, **limits})
    )


def _name(annotation: Any) -> str:
    return getattr(annotation, "__qualname__", None) or str(annotation)


def _fix(annotation: Any) -> str:
    if annotation in _FIXES:
        return _FIXES[annotation]
    if isinstance(annotation, type) and any(hasattr(annotation, name) for name in ("_meta", "__mapper__", "__table__")):
        return "name what is to be sent of it in a msgspec.Struct, or send its id"
    return "give a text, a number, a list or dict of such, a msgspec.Struct, a dataclass or a pydantic model"
