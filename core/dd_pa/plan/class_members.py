"""Which fields a class has on the wire: of msgspec, a dataclass, a TypedDict or pydantic."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from dd_pa.plan.model import Field, Type


class Member(NamedTuple):
    """A field of a class, before its annotation is read."""

    name: str
    annotation: Any
    required: bool


def members_of(kind: type, names: Mapping[str, Any] | None = None) -> list[Member] | None:
    """Return what an object of a class consists of on the wire, or None if it is no class of objects with fields.

    `names` is what the annotations may mean beside the names of their module: those of the function around the class.
    """
    if issubclass(kind, msgspec.Struct):
        hints, defaults = hints_of(kind, names), kind.__struct_defaults__
        given = (msgspec.NODEFAULT,) * (len(kind.__struct_fields__) - len(defaults)) + defaults
        wire = zip(kind.__struct_fields__, kind.__struct_encode_fields__, given, strict=True)
        return [Member(shown, hints[name], default is msgspec.NODEFAULT) for name, shown, default in wire]
    if dataclasses.is_dataclass(kind):
        hints, unset = hints_of(kind, names), dataclasses.MISSING
        return [
            Member(item.name, hints[item.name], item.default is unset and item.default_factory is unset)
            for item in dataclasses.fields(kind)
        ]
    if typing.is_typeddict(kind):
        return [Member(name, hint, _is_key_required(kind, name, hint)) for name, hint in hints_of(kind, names).items()]
    return _members_of_model(kind) if is_model(kind) else None


def is_model(kind: type) -> bool:
    """Tell a class of pydantic's."""
    return hasattr(kind, "model_fields") and hasattr(kind, "model_dump")


def _members_of_model(kind: Any) -> list[Member]:
    """Return what pydantic writes of its models: fields that are not excluded, and what is computed of them."""
    by_alias = kind.model_config.get("serialize_by_alias") is True
    fields = [(name, item) for name, item in kind.model_fields.items() if not item.exclude]
    return [
        *(
            Member((by_alias and item.serialization_alias) or name, annotated(item), item.is_required())
            for name, item in fields
        ),
        *(
            Member((by_alias and item.alias) or name, item.return_type, True)
            for name, item in kind.model_computed_fields.items()
        ),
    ]


def hints_of(kind: type, names: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the annotations of a class as types. Raises `NameError` for a name that means nothing (yet)."""
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except NameError:
        if not names:
            raise
        return typing.get_type_hints(kind, localns=dict(names), include_extras=True)


def object_type(kind: type, fields: dict[str, Field]) -> Type:
    """Return the type of an object; one with a tag has it as a field."""
    config = getattr(kind, "__struct_config__", None)
    if config is not None and config.tag_field is not None:
        value = config.tag
        tag = Type(kind="text" if isinstance(value, str) else "integer", values=(value,))
        fields = {config.tag_field: Field(types=(tag,)), **fields}
    return Type(kind="object", fields=fields)


def _is_key_required(kind: Any, name: str, hint: Any) -> bool:
    """Tell whether a key has to be there; of annotations that were texts, the class itself does not know it."""
    origin = typing.get_origin(hint)
    return origin is typing.Required or (origin is not typing.NotRequired and name in kind.__required_keys__)


def annotated(item: Any) -> Any:
    """Return the annotation of a field of pydantic's with what belongs to it."""
    described = (msgspec.Meta(description=item.description),) if item.description else ()
    metadata = (*item.metadata, *described)
    return typing.Annotated[(item.annotation, *metadata)] if metadata else item.annotation
