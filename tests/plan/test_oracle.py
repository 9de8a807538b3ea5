"""Our verdicts against those of a library that compares JSON Schemas, on random types.

`jsoncompat` decides whether all that a changed writer may write was allowed before: that is when our readers are whole.
It does not know what our readers do beyond that, so the plans here have nothing of it: no names that go (a reader of
JSON ignores a missing optional member), no personal data, no limits.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import jsoncompat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dd_pa.plan.changes import changes
from dd_pa.plan.model import Field, Plan, PlannedEvent, Type, merged

SCALARS = st.sampled_from([Type(kind=kind) for kind in ("text", "integer", "number", "boolean", "null")])
VALUES = st.sets(st.sampled_from("abc"), min_size=1).map(lambda found: Type(kind="text", values=tuple(sorted(found))))


def alternatives(types: st.SearchStrategy[Type]) -> st.SearchStrategy[tuple[Type, ...]]:
    return st.lists(types, min_size=1, max_size=3).map(_merged)


def _merged(types: list[Type]) -> tuple[Type, ...]:
    return merged(list({kind.kind: kind for kind in types}.values()))


def fields(types: st.SearchStrategy[Type]) -> st.SearchStrategy[dict[str, Field]]:
    """Return fields that are always there, by the same names."""
    field = st.builds(Field, types=alternatives(types), required=st.booleans())
    return st.fixed_dictionaries({"x": field, "y": field})


def _containers(types: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    return st.one_of(
        alternatives(types).map(lambda items: Type(kind="list", items=items)),
        fields(types).map(lambda found: Type(kind="object", fields=found)),
    )


TYPES = st.recursive(SCALARS | VALUES, _containers, max_leaves=6)
EVENTS = fields(TYPES)

_JSON = {"text": "string", "integer": "integer", "number": "number", "boolean": "boolean", "null": "null"}


def schema(kind: Type) -> dict[str, Any]:
    """Return a type as JSON Schema."""
    if kind.values:
        return {"enum": list(kind.values)}
    if kind.kind == "list":
        return {"type": "array", "items": any_of(kind.items)}
    if kind.kind == "object":
        return objects(kind.fields)
    return {"type": _JSON[kind.kind]}


def any_of(types: tuple[Type, ...]) -> dict[str, Any]:
    return schema(types[0]) if len(types) == 1 else {"anyOf": [schema(kind) for kind in types]}


def objects(found: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: any_of(field.types) for name, field in found.items()},
        "required": [name for name, field in found.items() if field.required],
    }


def plan(found: dict[str, Field]) -> Plan:
    return Plan({"x.y": PlannedEvent(name="x.y", fields=found)})


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[dict[str, Field], dict[str, Field]]:
    """Return an event, and one that differs in little from it, or in all."""
    before, after = draw(EVENTS), draw(EVENTS)
    types = (*before["y"].types, *after["y"].types)
    some = draw(st.lists(st.sampled_from(types), min_size=1))
    mixed = Field(types=_merged(some), required=draw(st.booleans()))
    return before, draw(st.sampled_from([before, after, {**before, "y": mixed}, {**before, "y": after["y"]}]))


@given(neighbours())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_verdicts(pair: tuple[dict[str, Field], dict[str, Field]]) -> None:
    """A change breaks readers if, and only if, something may be written now that could not be written before."""
    before, after = pair
    ours = any(change.is_breaking for change in changes(plan(before), plan(after), date(2026, 11, 27)))
    theirs = not jsoncompat.check_compat(json.dumps(objects(before)), json.dumps(objects(after)), "serializer")

    assert ours == theirs
