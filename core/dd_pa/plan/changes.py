"""What changed between two plans, and whether it breaks what reads the events: funnels, filters, groups, searches.

One rule: a reader is broken where values may come that could not come before, or where what it names is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import SequenceMatcher
from typing import Any, TypeVar

from dd_pa.plan.model import Deprecated, Field, Kind, Plan, PlannedEvent, Type
from dd_pa.plan.type_words import limit_words, type_words, types_words, value_words

T = TypeVar("T")
ByKind = Mapping[Kind, Sequence[Type]]

_ALIKE = 0.5
"""How alike two names are, at least, if one is taken for the other's new name."""


@dataclass(frozen=True, slots=True)
class PlanChange:
    """One difference between two plans."""

    event: str
    path: str
    """Where in the event: `order.lines[].sku`; empty for the event itself."""

    is_breaking: bool
    reason: str
    """What changed, and what that is to a reader."""

    def __str__(self) -> str:
        where = f"{self.event}: {self.path}" if self.path else self.event
        return f"{'BREAKING  ' if self.is_breaking else 'compatible'}  {where} {self.reason}"


def changes(before: Plan, after: Plan, today: date) -> list[PlanChange]:
    """Return what changed, by event and in the order of the fields."""
    old, new = before.events, after.events
    moved = _renamed(old, new, _is_same_event)
    found: list[PlanChange] = []
    for name in sorted({*old, *new} - set(moved.values())):
        if name in moved:
            reason = f"was renamed to {moved[name]}: what looks for the old name finds nothing more"
            found.append(PlanChange(name, "", True, reason))
        elif name not in new:
            found.append(
                PlanChange(name, "", *_removal(old[name].deprecated, "funnels and searches find no more", today))
            )
        elif name not in old:
            found.append(PlanChange(name, "", False, "is new"))
        if moved.get(name, name) in new and name in old:
            found += _Comparison(moved.get(name, name), today).events(old[name], new[moved.get(name, name)])
    return found


def _removal(deprecated: Deprecated | None, loss: str, today: date) -> tuple[bool, str]:
    if deprecated is None:
        return True, f"was removed: {loss}"
    if not deprecated.is_over(today):
        return True, f"was removed before {deprecated.until}, until when it is deprecated only: {loss}"
    return False, f"was removed; it was deprecated until {deprecated.until}"


def _renamed(old: Mapping[str, T], new: Mapping[str, T], is_same: Any) -> dict[str, str]:
    """Return what is gone under one name and has come under another, each name once, the most alike first."""
    gone, come = [name for name in old if name not in new], [name for name in new if name not in old]
    pairs = [(_likeness(one, other), one, other) for one in gone for other in come if is_same(old[one], new[other])]
    found: dict[str, str] = {}
    for likeness, one, other in sorted(pairs, key=lambda pair: (-pair[0], pair[1:])):
        is_only = len(gone) == len(come) == 1
        if one not in found and other not in found.values() and (likeness >= _ALIKE or is_only):
            found[one] = other
    return found


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(a=one, b=other).ratio()


def _is_same_event(one: PlannedEvent, other: PlannedEvent) -> bool:
    return (bool(one.fields) and one.fields == other.fields) or (
        bool(one.description) and one.description == other.description
    )


def _is_same_field(one: Field, other: Field) -> bool:
    return one.types == other.types and one.personal == other.personal


class _Comparison:
    """Compares one event with what it was."""

    def __init__(self, event: str, today: date) -> None:
        self._event = event
        self._today = today

    def _change(self, path: str, is_breaking: bool, reason: str) -> PlanChange:
        return PlanChange(self._event, path, is_breaking, reason)

    def events(self, old: PlannedEvent, new: PlannedEvent) -> Iterator[PlanChange]:
        yield from self._words("", "description", old.description, new.description)
        yield from self._words("", "owner", old.owner, new.owner)
        yield from self._deprecations("", old.deprecated, new.deprecated)
        yield from self._fields("", old.fields, new.fields)

    def _words(self, path: str, what: str, old: str, new: str) -> Iterator[PlanChange]:
        if old != new:
            yield self._change(path, False, f"has another {what}")

    def _deprecations(self, path: str, old: Deprecated | None, new: Deprecated | None) -> Iterator[PlanChange]:
        if old != new:
            reason = "is deprecated no more" if new is None else f"is deprecated until {new.until}"
            yield self._change(path, False, f"{reason}; use {new.use}" if new is not None and new.use else reason)

    def _fields(self, path: str, old: Mapping[str, Field], new: Mapping[str, Field]) -> Iterator[PlanChange]:
        moved = _renamed(old, new, _is_same_field)
        for name, field in old.items():
            where = f"{path}.{name}" if path else name
            if name in moved:
                reason = f"was renamed to {moved[name]}: what filters or groups by the old name finds nothing more"
                yield self._change(where, True, reason)
            elif name not in new:
                yield self._change(
                    where, *_removal(field.deprecated, "what filters or groups by it fails", self._today)
                )
            if moved.get(name, name) in new:
                yield from self._field(where, field, new[moved.get(name, name)])
        for name in new:
            if name not in old and name not in moved.values():
                yield self._change(f"{path}.{name}" if path else name, False, "is new")

    def _field(self, path: str, old: Field, new: Field) -> Iterator[PlanChange]:
        if old.required and not new.required:
            yield self._change(path, True, "was required, and may be left out now: not each event has it from now on")
        elif new.required and not old.required:
            yield self._change(path, False, "is required now")
        if old.personal != new.personal:
            now = (
                "is personal data now: it is left out or hashed"
                if new.personal
                else "is no personal data any more: its values are others"
            )
            yield self._change(path, True, now)
        yield from self._words(path, "description", old.description, new.description)
        yield from self._deprecations(path, old.deprecated, new.deprecated)
        yield from self._types(path, old.types, new.types)

    def _types(self, path: str, old: Sequence[Type], new: Sequence[Type]) -> Iterator[PlanChange]:
        before, after = _by_kind(old), _by_kind(new)
        if "any" in before or "any" in after:
            if "any" not in before:
                yield self._change(path, True, f"was {types_words(old)}, and may be anything now")
            elif "any" not in after:
                yield self._change(path, False, f"was anything, and is {types_words(new)} now")
            return
        come, gone = self._exchanged(before, after)
        if come and gone and not (set(before) & set(after)) - {"null"}:
            yield self._change(path, True, f"was {types_words(gone)}, and is {types_words(come)} now")
        else:
            yield from (self._change(path, True, f"may be {type_words(kind)} now, too") for kind in come)
            left = [kind for kind in gone if kind.kind != "integer" or "number" not in after]
            yield from (self._change(path, False, _narrower(kind, after)) for kind in left)
        for kind in before.keys() & after.keys():
            yield from self._alike(path, before[kind], after[kind])

    def _exchanged(
        self, before: Mapping[Kind, Sequence[Type]], after: Mapping[Kind, Sequence[Type]]
    ) -> tuple[list[Type], list[Type]]:
        """Return the types that have come and those that have gone: whole numbers are numbers."""
        come = [kind for name in after.keys() - before.keys() for kind in after[name]]
        gone = [kind for name in before.keys() - after.keys() for kind in before[name]]
        if "number" in before and not any(kind.values for kind in before["number"]):
            come = [kind for kind in come if kind.kind != "integer"]
        return sorted(come, key=type_words), sorted(gone, key=type_words)

    def _alike(self, path: str, old: Sequence[Type], new: Sequence[Type]) -> Iterator[PlanChange]:
        """Compare types of one kind."""
        if len(old) > 1 or len(new) > 1:
            if any(kind not in old for kind in new):
                yield self._change(path, True, f"may be another {new[0].kind} now, too")
            elif any(kind not in new for kind in old):
                yield self._change(path, False, f"is fewer kinds of {new[0].kind} now")
            return
        (one,), (other,) = old, new
        if one.kind == "object":
            yield from self._fields(path, one.fields, other.fields)
        elif one.kind in ("list", "map"):
            yield from self._types(f"{path}[]" if one.kind == "list" else f"{path}.*", one.items, other.items)
        else:
            yield from self._scalars(path, one, other)
        if one.limits != other.limits:
            yield self._change(path, False, f"has other limits: {limit_words(one)} before, {limit_words(other)} now")

    def _scalars(self, path: str, old: Type, new: Type) -> Iterator[PlanChange]:
        if old.values and new.values:
            yield from self._values(path, old.values, new.values)
        elif (old.values, old.format) != (new.values, new.format):
            is_narrower = not old.values and not old.format
            yield self._change(path, not is_narrower, f"was {type_words(old)}, and is {type_words(new)} now")

    def _values(self, path: str, old: Iterable[Any], new: Iterable[Any]) -> Iterator[PlanChange]:
        come, gone = [value for value in new if value not in old], [value for value in old if value not in new]
        if come:
            text = f"may be {value_words(come)} now, too: filters and groups by its values do not know it"
            yield self._change(path, True, text)
        if gone:
            loss = ": what filters by it finds nothing more" if come else ""
            yield self._change(path, bool(come), f"is never {value_words(gone)} any more{loss}")


def _narrower(gone: Type, left: ByKind) -> str:
    if gone.kind == "number" and "integer" in left:
        return "is always a whole number now"
    return f"is never {type_words(gone)} any more"


def _by_kind(types: Iterable[Type]) -> dict[Kind, list[Type]]:
    found: dict[Kind, list[Type]] = {}
    for kind in types:
        found.setdefault(kind.kind, []).append(kind)
    return found
