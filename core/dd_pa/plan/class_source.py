"""A plan as Python: classes that declare its events, as somebody could have written them."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from dd_pa.capture.attributes import RESERVED
from dd_pa.plan.model import Deprecated, Field, Plan, PlannedEvent, Type
from dd_pa.plan.wire import KEYWORDS

WIDTH = 120

_IMPORTS = {
    "dt.": ("", "import datetime as dt"),
    "uuid.": ("", "import uuid"),
    "Any": ("typing", "Any"),
    "Annotated": ("typing", "Annotated"),
    "Literal": ("typing", "Literal"),
    "UNSET": ("msgspec", "UNSET"),
    "Meta": ("msgspec", "Meta"),
    "Struct": ("msgspec", "Struct"),
    "UnsetType": ("msgspec", "UnsetType"),
    "field": ("msgspec", "field"),
    "Deprecated": ("dd_pa", "Deprecated"),
    "Event": ("dd_pa", "Event"),
    "Money": ("dd_pa", "Money"),
    "Personal": ("dd_pa", "Personal"),
}
_NAMES = {"text": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None", "any": "Any"}
_FORMATS = {"date": "dt.date", "date-time": "dt.datetime", "time": "dt.time", "uuid": "uuid.UUID"}
_MONEY = {"amount": {"number", "integer"}, "currency": {"text"}}
_TAKEN = {*keyword.kwlist, *_NAMES.values(), "list", "dict", "dt", "uuid", *filter(str.isidentifier, _IMPORTS)}
"""Names that a field must not have, as the annotations of the class mean something else by them."""


def classes(plan: Plan, origin: str) -> str:
    """Return a module; `origin` is said at its head."""
    writer = _Writer(sorted(plan.events))
    bodies = [writer.event(plan.events[name]) for name in sorted(plan.events)]
    code = "\n\n\n".join([*writer.structs, *bodies])
    head = f'"""Events of the tracking plan. Written by {origin}: a beginning, to be changed by hand."""'
    parts = [head, "from __future__ import annotations", *_imports(code), f"\n{code}"]
    return "\n\n".join(parts).rstrip() + "\n"


class _Writer:
    """Names the classes, each once."""

    def __init__(self, names: Sequence[str]) -> None:
        self.structs: list[str] = []
        self._known: dict[tuple[str, tuple[str, ...]], str] = {}
        self._taken = set(_TAKEN)
        self._events = {name: self._free(_class_name(name) or "UnnamedEvent") for name in names}

    def event(self, event: PlannedEvent) -> str:
        name = self._events[event.name]
        given = [f"name={_quoted(event.name)}"]
        given += [f"owner={_quoted(event.owner)}"] if event.owner else []
        given += [f"deprecated={_deprecated(event.deprecated)}"] if event.deprecated else []
        refused = [each for each in event.fields if each.partition(".")[0] in RESERVED]
        fields = {each: field for each, field in event.fields.items() if each not in refused}
        notes = [f"    # {each} is a reserved name: choose another" for each in map(repr, refused)]
        text, lines = _docstring(event.description), self._fields(name, fields)
        body = [*text, *([""] if text and (lines or notes) else []), *lines, *notes]
        head = _head(name, ["Event", *given])
        return "\n".join([head, *(body if text or lines else [*body, "    pass"])])

    def _fields(self, owner: str, fields: Mapping[str, Field]) -> list[str]:
        taken = {*_TAKEN, *self._taken}
        return [self._field(owner, name, field, taken) for name, field in fields.items()]

    def _field(self, owner: str, name: str, field: Field, taken: set[str]) -> str:
        shown = _field_name(name, taken)
        taken.add(shown)
        annotation = self._annotation(f"{owner}{_class_name(name)}", name, field)
        has_null = any(kind.kind == "null" for kind in field.types)
        default = None if field.required else "None" if has_null else "UNSET"
        if default == "UNSET":
            annotation = f"{annotation} | UnsetType"
        if shown != name:
            given = [f"default={default}"] if default else []
            default = f"field({', '.join([*given, f'name={_quoted(name)}'])})"
        return f"    {shown}: {annotation}" + (f" = {default}" if default else "")

    def _annotation(self, path: str, name: str, field: Field) -> str:
        inside = self._types(path, name, field.types)
        inside = f"Personal[{inside}]" if field.personal else inside
        extras = [f"Meta(description={_quoted(field.description)})"] if field.description else []
        extras += [_deprecated(field.deprecated, whole=True)] if field.deprecated else []
        return f"Annotated[{', '.join([inside, *extras])}]" if extras else inside

    def _types(self, path: str, name: str, types: Sequence[Type]) -> str:
        shown = [self._type(path, name, kind) for kind in sorted(types, key=lambda kind: kind.kind == "null")]
        return " | ".join(dict.fromkeys(shown)) or "Any"

    def _type(self, path: str, name: str, kind: Type) -> str:
        if kind.kind == "object":
            return "Money" if _is_money(kind) else self._struct(path, name, kind)
        if kind.kind in ("list", "map"):
            inside = self._types(path, name.removesuffix("s") if kind.kind == "list" else name, kind.items)
            written = f"list[{inside}]" if kind.kind == "list" else f"dict[str, {inside}]"
        elif kind.values:
            return (
                f"Literal[{', '.join(_quoted(each) if isinstance(each, str) else repr(each) for each in kind.values)}]"
            )
        else:
            written = _FORMATS.get(kind.format) or _NAMES[kind.kind]
        return f"Annotated[{written}, Meta({_limits(kind)})]" if kind.limits else written

    def _struct(self, path: str, name: str, kind: Type) -> str:
        """Return the class of an object: one of the same name and fields is the same class."""
        lines, short = self._fields(path, kind.fields), _class_name(name)
        key = (short, tuple(lines))
        if key not in self._known:
            self._known[key] = made = self._free(short if short and short not in self._taken else path)
            self.structs.append("\n".join([_head(made, ["Struct", "kw_only=True"]), *(lines or ["    pass"])]))
        return self._known[key]

    def _free(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}{number}"
        self._taken.add(name)
        return name


def _head(name: str, given: Sequence[str]) -> str:
    """Return the first line of a class, on as many lines as it needs."""
    inside = ", ".join(given)
    if len(name) + len(inside) + len("class ():") <= WIDTH:
        return f"class {name}({inside}):"
    if len(inside) + 4 <= WIDTH:
        return f"class {name}(\n    {inside}\n):"
    return f"class {name}(\n{''.join(f'    {each},{chr(10)}' for each in given)}):"


def _is_money(kind: Type) -> bool:
    return kind.fields.keys() == _MONEY.keys() and all(
        field.required and not field.personal and {each.kind for each in field.types} <= _MONEY[name]
        for name, field in kind.fields.items()
    ) and kind.fields["currency"].types[0].limits.get("pattern") == "^[A-Z]{3}$"  # fmt: skip


def _class_name(name: str) -> str:
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[^\W\d_]+|\d+", name)
    made = "".join(word[:1].upper() + word[1:] for word in words)
    return made if made.isidentifier() else f"E{made}" if f"E{made}".isidentifier() else ""


def _field_name(name: str, taken: Iterable[str]) -> str:
    """Return a name in Python: that on the wire, if it can be."""
    made = name if name.isidentifier() and not name.startswith("_") else re.sub(r"\W", "_", name).strip("_")
    made = made if made.isidentifier() else f"field_{made}"
    while made in taken:
        made = f"{made}_"
    return made


def _limits(kind: Type) -> str:
    given = []
    for name, value in kind.limits.items():
        word = KEYWORDS.get(name) or ("min_length" if name.startswith("min") else "max_length")
        given.append(f"{word}={_quoted(value) if isinstance(value, str) else value}")
    return ", ".join(given)


def _deprecated(given: Deprecated | None, *, whole: bool = False) -> str:
    if given is None:
        return ""
    use = f", use={_quoted(given.use)}" if given.use else ""
    return f"Deprecated({_quoted(given.until)}{use})" if use or whole else _quoted(given.until)


def _docstring(text: str) -> list[str]:
    if not text.strip():
        return []
    safe = text.strip().replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    safe = f"{safe[:-1]}\\\"" if safe.endswith('"') else safe  # fmt: skip
    first, *rest = safe.splitlines()
    if not rest:
        return [f'    """{first}"""']
    return [f'    """{first}', *(f"    {line}".rstrip() for line in rest), '    """']


def _literal(value: object) -> str:
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    """Return a text as a formatter would write it."""
    written = json.dumps(text, ensure_ascii=False)
    return f"'{written[1:-1].replace(chr(92) + chr(34), chr(34))}'" if '"' in text and "'" not in text else written


def _imports(code: str) -> Iterator[str]:
    """Yield the blocks of imports that the code needs."""
    bare = re.sub(r'"(?:\\.|[^"\\])*"', '""', re.sub(r'"""(?:\\.|[^\\])*?"""', "", code, flags=re.DOTALL))
    found: dict[str, list[str]] = {}
    for name, (module, imported) in _IMPORTS.items():
        if re.search(rf"(?<![\w.]){re.escape(name)}" + ("" if name.endswith(".") else r"\b"), bare):
            found.setdefault(module, []).append(imported)
    for block in ([*found.pop("", []), *_from(found, "typing")], [*_from(found, "dd_pa"), *_from(found, "msgspec")]):
        if block:
            yield "\n".join(block)


def _from(found: Mapping[str, list[str]], module: str) -> Iterator[str]:
    if module in found:
        names = sorted(found[module], key=lambda name: (not name.isupper(), name[:1].islower(), name))
        yield f"from {module} import {', '.join(names)}"
