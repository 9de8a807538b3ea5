"""The catalogue: what an application tracks, for people. As Markdown here, as a page in `catalogue_page`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from dd_pa.plan.model import Deprecated, Field, Plan, PlannedEvent, shown, walk
from dd_pa.plan.type_words import limit_words, types_words

TITLE = "Tracking plan"
NOBODY = "no owner"


class CatalogueLine(NamedTuple):
    """A field of an event in words, at whatever depth."""

    path: str
    types: str
    presence: str
    limits: Sequence[str]
    warnings: Sequence[str]
    """That it is personal data, or deprecated."""

    description: str


def lines(event: PlannedEvent) -> Iterator[CatalogueLine]:
    """Yield the fields of an event, each before what is in it."""
    for path, field in walk(event.fields):
        presence = "always" if field.required else "may be left out"
        limits = [limit_words(kind) for kind in field.types if kind.limits]
        yield CatalogueLine(
            shown(path), types_words(field.types), presence, limits, list(_warnings(field)), field.description
        )


def _warnings(field: Field) -> Iterator[str]:
    if field.personal:
        yield "personal data"
    if field.deprecated is not None:
        yield deprecation(field.deprecated)


def deprecation(given: Deprecated) -> str:
    """Return until when something is there, and what to use instead."""
    return f"deprecated until {given.until}" + (f", use {given.use}" if given.use else "")


def by_owner(plan: Plan) -> Mapping[str, Sequence[PlannedEvent]]:
    """Return the events of each owner, both by name; those of nobody last."""
    found: dict[str, list[PlannedEvent]] = {}
    for name in sorted(plan.events, key=lambda name: (not plan.events[name].owner, plan.events[name].owner, name)):
        found.setdefault(plan.events[name].owner or NOBODY, []).append(plan.events[name])
    return found


def personal_paths(event: PlannedEvent) -> list[str]:
    """Return where an event has personal data."""
    return [shown(path) for path, field in walk(event.fields) if field.personal]


def deprecated_things(event: PlannedEvent) -> Iterator[tuple[str, Deprecated]]:
    """Yield what is deprecated: the event, as an empty path, and its fields."""
    if event.deprecated is not None:
        yield "", event.deprecated
    for path, field in walk(event.fields):
        if field.deprecated is not None:
            yield shown(path), field.deprecated


def summary(text: str) -> str:
    """Return the first paragraph of a description on one line."""
    return " ".join(text.partition("\n\n")[0].split())


def markdown(plan: Plan) -> str:
    """Return the catalogue as Markdown of GitHub's kind. What is declared is text in it, never markup."""
    owners = by_owner(plan)
    parts = [
        f"# {TITLE}",
        f"{len(plan.events)} events. Written by `dd-pa events catalogue`: change the classes, not this.",
    ]
    rows = [
        (_code(event.name), _text(summary(event.description)), _text(owner))
        for owner in owners
        for event in owners[owner]
    ]
    parts.append(_table(("Event", "What has happened", "Owner"), rows))
    parts += _overview(plan)
    for owner, events in owners.items():
        parts.append(f"## {_text(owner)}")
        parts += [part for event in events for part in _event(event)]
    return "\n\n".join(parts) + "\n"


def _overview(plan: Plan) -> Iterator[str]:
    events = [plan.events[name] for name in sorted(plan.events)]
    personal = [(_code(event.name), _code(path)) for event in events for path in personal_paths(event)]
    old = [
        (_code(event.name), _code(path) if path else "the event", given.until, _code(given.use) if given.use else "")
        for event in events
        for path, given in deprecated_things(event)
    ]
    if personal:
        yield "## Personal data"
        yield "`PERSONAL_DATA` says whether these fields are left out, hashed or sent."
        yield _table(("Event", "Field"), personal)
    if old:
        yield "## Deprecated"
        yield _table(("Event", "Field", "Until", "Use"), old)


def _event(event: PlannedEvent) -> Iterator[str]:
    yield f"### {_code(event.name)}"
    if event.deprecated is not None:
        yield f"**{_text(deprecation(event.deprecated).capitalize())}.**"
    yield from (_text(part) for part in event.description.split("\n\n") if part.strip())
    if event.source:
        yield f"Declared as {_code(event.source)}."
    rows = [
        (_code(line.path), _text("; ".join((line.types, *line.limits, *line.warnings))), line.presence, said)
        for line in lines(event)
        for said in [_text(line.description)]
    ]
    yield _table(("Field", "Value", "Present", "Description"), rows) if rows else "No fields."


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    marked = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in marked)


_SPAN = re.compile(r"(?<!`)`[^`\n]+`(?!`)")
_MARKS = re.compile(r"([\\`*_{}\[\]<>#~&!])")


def _text(text: str) -> str:
    """Return a text on one line with nothing in it that Markdown would read as markup, but for spans of code."""
    return code_spans(" ".join(text.split()), lambda part: _MARKS.sub(r"\\\1", part), str)


def code_spans(text: str, outside: Callable[[str], str], span: Callable[[str], str]) -> str:
    """Return a text with its spans of code, backticks included, and what is outside of them, each treated."""
    parts, at = [], 0
    for found in _SPAN.finditer(text):
        parts += [outside(text[at : found.start()]), span(found[0])]
        at = found.end()
    return "".join(parts) + outside(text[at:])


def _code(text: str) -> str:
    """Return a text as a span of code, whatever is in it."""
    line = " ".join(text.split())
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    padding = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{padding}{line}{padding}{fence}"
