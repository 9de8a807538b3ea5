"""The plan for other tools: as JSON Schema 2020-12, and as AsyncAPI 3.

Both say what is on the wire. msgspec's own schemas say what its encoder would write of a class: a `Decimal` as a text,
a duration as ISO 8601, and nothing of pydantic's models. So they are made of the plan.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from dd_pa.plan import lock_file
from dd_pa.plan.model import Deprecated, Field, Plan, PlannedEvent, Type

Json = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ASYNCAPI = "3.0.0"

_NAMES = {"text": "string", "list": "array", "map": "object"}
_PSEUDONYM: Json = {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "What PERSONAL_DATA=hash sends."}
_TITLE = "Events of Datadog Product Analytics"


def json_schema(plan: Plan) -> Json:
    """Return one schema for the bodies of all events of the plan; `$defs` has one for each, by name."""
    events = [plan.events[name] for name in sorted(plan.events)]
    return {
        "$schema": DIALECT,
        "title": _TITLE,
        **_body({"enum": [event.name for event in events]}),
        "allOf": [
            {"if": _body({"const": event.name}), "then": {"$ref": f"#/$defs/{_pointed(event.name)}"}}
            for event in events
        ],
        "$defs": {event.name: _event(event) for event in events},
    }


def asyncapi(plan: Plan) -> Json:
    """Return an AsyncAPI document: a message for each event, which the application sends."""
    keys = _component_keys(sorted(plan.events))
    events = {key: plan.events[name] for name, key in keys.items()}
    return {
        "asyncapi": ASYNCAPI,
        "info": {"title": _TITLE, "version": hashlib.sha256(lock_file.encoded(plan)).hexdigest()[:12]},
        "defaultContentType": "application/json",
        "channels": {
            "events": {
                "address": None,
                "description": "The intake of Datadog Product Analytics, one event in each request.",
                "messages": {key: {"$ref": f"#/components/messages/{key}"} for key in events},
            }
        },
        "operations": {"track": {"action": "send", "channel": {"$ref": "#/channels/events"}}},
        "components": {
            "messages": {key: _message(key, event) for key, event in events.items()},
            "schemas": {key: _event(event) for key, event in events.items()},
        },
    }


def _body(name: Json) -> Json:
    """Return the schema of a body with such a name."""
    inside = {"type": "object", "required": ["name"], "properties": {"name": name}}
    return {"type": "object", "required": ["event"], "properties": {"event": inside}}


def _message(key: str, event: PlannedEvent) -> Json:
    said: Json = {"name": event.name, "title": event.name, "payload": {"$ref": f"#/components/schemas/{key}"}}
    if event.description:
        said |= {"summary": event.description.partition("\n")[0], "description": event.description}
    if event.owner:
        said["tags"] = [{"name": event.owner, "description": "The owner."}]
    return said


def _event(event: PlannedEvent) -> Json:
    named = _body({"const": event.name})
    fields = _object(event.fields)
    owner = {"x-owner": event.owner} if event.owner else {}
    return {
        "title": event.name,
        **_said(event.description, event.deprecated),
        **owner,
        "type": "object",
        "required": [*named["required"], *fields.get("required", ())],
        "properties": {**named["properties"], **fields["properties"]},
    }


def _object(fields: Mapping[str, Field]) -> Json:
    """Return the schema of an object. What is personal may be missing: the setting says whether it is sent."""
    required = [name for name, field in fields.items() if field.required and not field.personal]
    schema: Json = {"type": "object", "properties": {name: _field(field) for name, field in fields.items()}}
    return {**schema, "required": required} if required else schema


def _field(field: Field) -> Json:
    said = _said(field.description, field.deprecated)
    if not field.personal:
        return {**said, **_alternatives(field.types)}
    return {**said, "x-personal-data": True, **_any_of([*_schemas(field.types), *_pseudonyms(field.types)])}


def _said(description: str, deprecated: Deprecated | None) -> Json:
    said: Json = {}
    if description:
        said["description"] = description
    if deprecated is not None:
        instead = f"; use {deprecated.use}" if deprecated.use else ""
        note = f"Deprecated until {deprecated.until}{instead}."
        said |= {"description": f"{description}\n\n{note}" if description else note, "deprecated": True}
    return said


def _alternatives(types: Sequence[Type]) -> Json:
    return _any_of(_schemas(types))


def _schemas(types: Sequence[Type]) -> list[Json]:
    return [_type(kind) for kind in types]


def _any_of(schemas: list[Json]) -> Json:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _type(kind: Type) -> Json:
    if kind.kind == "any":
        return {}
    if kind.kind == "object":
        return _object(kind.fields)
    schema: Json = {"type": _NAMES.get(kind.kind, kind.kind), **kind.limits}
    if kind.values:
        schema["enum"] = list(kind.values)
    if kind.format and kind.format != "time":  # that of JSON Schema has an offset
        schema["format"] = kind.format
    if kind.kind == "list" and kind.items:
        schema["items"] = _alternatives(kind.items)
    if kind.kind == "map" and kind.items:
        schema["additionalProperties"] = _alternatives(kind.items)
    return schema


def _pseudonyms(types: Sequence[Type]) -> list[Json]:
    """Return what may stand for personal data: a hash, or those of a list's values one by one."""
    found = [_PSEUDONYM] if any(kind.kind not in ("list", "null") for kind in types) else []
    if any(kind.kind in ("list", "any") for kind in types):
        found.append({"type": "array", "items": {"anyOf": [{"type": "null"}, _PSEUDONYM]}})
    return found


def _pointed(name: str) -> str:
    """Return a name as it stands in the pointer of a reference."""
    return quote(name.replace("~", "~0").replace("/", "~1"), safe="~")


def _component_keys(names: Sequence[str]) -> dict[str, str]:
    """Return the key of each name among the components, which may have letters, digits and `.-_` only."""
    keys: dict[str, str] = {}
    for name in names:
        key = wanted = re.sub(r"[^a-zA-Z0-9._-]", "_", name)
        number = 1
        while key in keys.values():
            number += 1
            key = f"{wanted}_{number}"
        keys[name] = key
    return keys
