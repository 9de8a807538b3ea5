"""Plans of other tools: JSON Schema, Segment's tracking plans, PostHog's event definitions and property groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dd_pa.errors import PlanError
from dd_pa.plan.model import NULL, Field, Plan, PlannedEvent, Type, merged

_MAX_DEPTH = 20
_KINDS = {"string": "text", "array": "list"}
_LIMITS = (
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern"),
    *("minItems", "maxItems", "minProperties", "maxProperties"),
)
_FORMATS = {"date": "date", "date-time": "date-time", "uuid": "uuid"}


def foreign_plan(document: object) -> Plan:
    """Return the plan of a document, whichever tool it is of. Raises `PlanError` for one of none."""
    if isinstance(document, dict):
        for knows, read in _TOOLS:
            if knows(document):
                events = {event.name: event for event in read(document)}
                if events:
                    return Plan(dict(sorted(events.items())))
    problem = (
        "this is no plan that is known: a JSON Schema with a title or $defs, the rules of a Segment tracking plan, "
        "or the event definitions or schema property groups of PostHog's API"
    )
    raise PlanError("", problem)


class _SchemaReader:
    """Reads JSON Schema of any draft, as far as types go."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def fields(self, schema: Mapping[str, Any], depth: int = 0) -> dict[str, Field]:
        """Return the fields of an object's schema."""
        found: dict[str, Field] = {}
        for part in self._parts(schema, depth):
            required = part.get("required", [])
            for name, given in _mapping(part.get("properties")).items():
                found[name] = self._field(given, depth + 1, required=isinstance(required, list) and name in required)
        return found

    def _parts(self, schema: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Any]]:
        """Yield a schema and those that it consists of."""
        if depth > _MAX_DEPTH:
            raise PlanError("", f"a schema lies deeper than {_MAX_DEPTH} levels, or refers to itself")
        yield schema
        if "$ref" in schema:
            yield from self._parts(self._referred(schema["$ref"]), depth + 1)
        for part in _listed(schema.get("allOf")):
            yield from self._parts(part, depth + 1)

    def _referred(self, reference: object) -> Mapping[str, Any]:
        found: Any = self._document
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise PlanError(str(reference), "leads out of the document: put what it means into it")
        for part in reference.removeprefix("#").split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, dict) else None
        if not isinstance(found, dict):
            raise PlanError(reference, "leads nowhere")
        return found

    def _field(self, given: object, depth: int, *, required: bool) -> Field:
        schema = _mapping(given)
        return Field(
            types=self.types(schema, depth),
            required=required,
            description=_text(schema.get("description")),
            personal=schema.get("x-personal-data") is True,
        )

    def types(self, schema: Mapping[str, Any], depth: int) -> tuple[Type, ...]:
        """Return the types that a schema allows; of nothing that is understood, any."""
        found: list[Type] = []
        for part in self._parts(schema, depth):
            for word in ("anyOf", "oneOf"):
                found += [kind for each in _listed(part.get(word)) for kind in self.types(each, depth + 1)]
            found += self._own(part, depth)
        if schema.get("nullable") is True and found:  # of OpenAPI 3.0
            found.append(NULL)
        return merged(found) if found else (Type(kind="any"),)

    def _own(self, schema: Mapping[str, Any], depth: int) -> Iterator[Type]:
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        if isinstance(values, list):
            yield from _values(values)
            return
        said = schema.get("type", "object" if "properties" in schema else [])
        for name in said if isinstance(said, list) else [said]:
            yield self._named(str(name), schema, depth)

    def _named(self, name: str, schema: Mapping[str, Any], depth: int) -> Type:
        kind: Any = _KINDS.get(name, name)
        limits = {word: schema[word] for word in _LIMITS if isinstance(schema.get(word), int | float | str)}
        own = {word: value for word, value in limits.items() if _belongs(word, kind)}
        if kind == "object" and "properties" not in schema and isinstance(schema.get("additionalProperties"), dict):
            return Type(kind="map", items=self.types(schema["additionalProperties"], depth + 1), limits=own)
        if kind == "object":
            return Type(kind="object", fields=self.fields(schema, depth + 1))
        if kind == "list":
            items = schema.get("items")
            inside = self.types(items, depth + 1) if isinstance(items, dict) else (Type(kind="any"),)
            return Type(kind="list", items=inside, limits=own)
        if kind not in ("text", "integer", "number", "boolean", "null"):
            return Type(kind="any")
        form: Any = _FORMATS.get(str(schema.get("format")), "") if kind == "text" else ""
        return Type(kind=kind, format=form, limits={} if form else own)


def _belongs(word: str, kind: str) -> bool:
    if word.endswith("Items") or word.endswith("Properties"):
        return kind == ("list" if word.endswith("Items") else "map")
    return kind == "text" if word.endswith("Length") or word == "pattern" else kind in ("integer", "number")


def _values(values: list[Any]) -> Iterator[Type]:
    texts = sorted({value for value in values if isinstance(value, str)})
    numbers = sorted({value for value in values if isinstance(value, int) and not isinstance(value, bool)})
    if texts:
        yield Type(kind="text", values=tuple(texts))
    if numbers:
        yield Type(kind="integer", values=tuple(numbers))
    if any(isinstance(value, float) for value in values):
        yield Type(kind="number")
    if any(isinstance(value, bool) for value in values):
        yield Type(kind="boolean")
    if None in values:
        yield NULL


def _of_json_schema(document: Mapping[str, Any]) -> Iterator[PlannedEvent]:
    reader = _SchemaReader(document)
    definitions = {**_mapping(document.get("definitions")), **_mapping(document.get("$defs"))}
    named = [(name, _mapping(schema)) for name, schema in definitions.items() if _event_name(schema)]
    if not named and isinstance(document.get("title"), str) and "properties" in document:
        named = [(document["title"], document)]
    for title, schema in named:
        fields = reader.fields(schema)
        fields.pop("event", None)
        name = _event_name(schema) or title
        owner, description = _text(schema.get("x-owner")), _text(schema.get("description"))
        yield PlannedEvent(name=name, fields=fields, description=description, owner=owner)


def _event_name(schema: object) -> str:
    """Return the name that the schema of a body asks for."""
    inside: object = schema
    for key in ("properties", "event", "properties", "name", "const"):
        inside = inside.get(key) if isinstance(inside, dict) else None
    return inside if isinstance(inside, str) else ""


def _of_segment(document: Mapping[str, Any]) -> Iterator[PlannedEvent]:
    rules = document.get("rules", _mapping(document.get("data")).get("rules"))
    if isinstance(rules, dict):  # of the API before the public one
        rules = rules.get("events")
    for rule in _listed(rules):
        name = rule.get("key", rule.get("name"))
        schema = _mapping(rule.get("jsonSchema", rule.get("rules")))
        if isinstance(name, str) and name and rule.get("type", "TRACK") == "TRACK":
            inside = _mapping(_mapping(schema.get("properties")).get("properties"))
            fields = _SchemaReader(schema).fields(inside)
            description = _text(rule.get("description")) or _text(schema.get("description"))
            yield PlannedEvent(name=name, fields=fields, description=description)


_POSTHOG: Mapping[str, tuple[Type, ...]] = {
    "String": (Type(kind="text"),),
    "Numeric": (Type(kind="number"),),
    "Boolean": (Type(kind="boolean"),),
    "DateTime": (Type(kind="text", format="date-time"),),
    "Duration": (Type(kind="number"),),
    "Array": (Type(kind="list", items=(Type(kind="any"),)),),
}


def _of_posthog(document: Mapping[str, Any]) -> Iterator[PlannedEvent]:
    """Yield events: of property groups, those that each is attached to; else of event definitions, without fields."""
    fields: dict[str, dict[str, Field]] = {}
    said: dict[str, str] = {}
    for given in _listed(document.get("results")):
        if "properties" not in given:
            name = _text(given.get("name"))
            if name and not name.startswith("$"):
                said[name] = _text(given.get("description"))
                fields.setdefault(name, {})
            continue
        for event in _listed(given.get("events")):
            known = fields.setdefault(_text(event.get("name")), {})
            known.update((_text(each.get("name")), _property(each)) for each in _listed(given["properties"]))
    for name, known in fields.items():
        if name:
            yield PlannedEvent(name=name, fields=known, description=said.get(name, ""))


def _property(given: Mapping[str, Any]) -> Field:
    types = _POSTHOG.get(_text(given.get("property_type")), (Type(kind="any"),))
    description = _text(given.get("description"))
    return Field(types=types, required=given.get("is_required") is True, description=description)


def _mapping(given: object) -> Mapping[str, Any]:
    return given if isinstance(given, dict) else {}


def _listed(given: object) -> list[Mapping[str, Any]]:
    return [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []


def _text(given: object) -> str:
    return given.strip() if isinstance(given, str) else ""


_TOOLS: tuple[
    tuple[Callable[[Mapping[str, Any]], bool], Callable[[Mapping[str, Any]], Iterator[PlannedEvent]]], ...
] = (
    (lambda found: isinstance(found.get("results"), list), _of_posthog),
    (lambda found: "rules" in found or "rules" in _mapping(found.get("data")), _of_segment),
    (lambda found: "$defs" in found or "definitions" in found or "properties" in found, _of_json_schema),
)
