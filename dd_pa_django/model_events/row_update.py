"""`update()` of many rows: what they were, and the events of what has become of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db.models import Model, QuerySet

from dd_pa.model_events import Change, Columns, DueEvent, Part
from dd_pa_django.database_connection import connection_of
from dd_pa_django.model_events import stored_values
from dd_pa_django.model_events.class_declaration import ClassDeclaration
from dd_pa_django.model_events.event_firing import BatchFiring, active_emitter, firing_together
from dd_pa_django.model_events.row_key import row_key
from dd_pa_django.model_events.row_memory import note_rows_written
from dd_pa_django.model_events.watch import ModelWatch

MOST_TOLD = 1_000
"""Most different old values of an update for which it is remembered what they come to."""

_Due = tuple[ClassDeclaration, str, Change]
_ChangedRow = tuple[tuple[Any, ...], Mapping[str, Any], Sequence[_Due]]
"""A row as it was read, what was written to it, and the events."""


class RowUpdate:
    """An `update()` that touches followed fields. `read()` comes before it and `fire()` after it."""

    def __init__(self, watch: ModelWatch, values: Mapping[str, Any], using: str) -> None:
        self._watch = watch
        self._values = values
        self._using = using
        self._written = watch.written(values)
        self._declared = [item for item in watch.updates if not set(self._written).isdisjoint(item.columns.values())]

    def read(self, rows: QuerySet[Any]) -> None:
        """Read the rows: no more than values, unless a callable of a declaration asks for the objects."""
        sent = {field for item in self._declared for field in item.sent.values()}
        pk: Any = self._watch.model._meta.pk
        self._names = [field.attname for field in dict.fromkeys((*self._written, *sorted(sent - {pk})))]
        self._places = {pk.attname: 0} | {name: place for place, name in enumerate(self._names, 1)}
        self._instances: list[Model] = []
        self._rows: list[tuple[Any, ...]] = []
        if any(item.asks_instances for item in self._declared):
            self._instances = list(rows)
        else:
            self._rows = list(stored_values.keyed_rows(rows, self._names))

    def fire(self, count: int) -> None:
        """Fire the events of a statement that has hit so many rows."""
        if not self._instances and not self._rows:
            return
        meta: Any = self._watch.model._meta
        fields = {name: meta.get_field(name) for name in self._values}
        is_exact = count == len(self._instances or self._rows)
        generated = [field for item in self._declared for field in item.sent.values() if field.generated]
        if is_exact and not generated and not any(map(stored_values.is_expression, self._values.values())):
            constant = {field.attname: self._assigned(field, self._values[name]) for name, field in fields.items()}
            found = None
        else:  # computed, or other rows were hit
            pks = [row_key(item) for item in self._instances] or [row[0] for row in self._rows]
            changed = list(dict.fromkeys((*fields.values(), *generated)))
            constant, found = {}, stored_values.read(self._watch.model, pks, changed, self._using)
        if self._instances:
            self._fire_instances(constant, found)
        else:
            self._fire_values(constant, found)

    def _assigned(self, field: Any, value: Any) -> Any:
        if isinstance(value, Model):
            value = getattr(value, field.target_field.attname)
        return stored_values.assigned(field, value, self._using)

    def _fire_instances(self, constant: Mapping[str, Any], found: Mapping[Any, Mapping[str, Any]] | None) -> None:
        there = [item for item in self._instances if found is None or row_key(item) in found]
        for instance in there:
            for name, value in (constant if found is None else found[row_key(instance)]).items():
                setattr(instance, name, stored_values.kept(value))
        self._watch.after_update(there, self._values.keys(), self._using)

    def _fire_values(self, constant: Mapping[str, Any], found: Mapping[Any, Mapping[str, Any]] | None) -> None:
        changed = list(self._changed(constant, found))
        emitter = active_emitter() if changed else None
        if emitter is None:
            return
        note_rows_written([row[0] for row, _, _ in changed], self._watch.root, connection_of(self._using))
        with firing_together(emitter, self._using) as fire:
            said = {declared: fire.columns(declared, self._sent(declared, changed)) for declared in self._declared}
            fire.of_rows(self._due(fire, changed, said))

    @staticmethod
    def _due(
        fire: BatchFiring, changed: Sequence[_ChangedRow], said: Mapping[ClassDeclaration, Columns]
    ) -> Iterator[DueEvent]:
        parts: dict[int, Part] = {}  # by the change, which rows have in common
        for number, (_, _, events) in enumerate(changed):
            for declared, name, change in events:
                part = parts.get(id(change))
                if part is None:
                    part = parts[id(change)] = fire.changed(declared, change)
                yield name, said[declared], number, part

    def _sent(self, declared: ClassDeclaration, changed: Sequence[_ChangedRow]) -> list[list[Any]]:
        """Return the values, as they are now, of the columns that events carry."""
        found = []
        for field in declared.sent.values():
            name, place = field.attname, self._places[field.attname]
            found.append([new[name] if name in new else row[place] for row, new, _ in changed])
        return found

    def _changed(
        self, constant: Mapping[str, Any], found: Mapping[Any, Mapping[str, Any]] | None
    ) -> Iterator[_ChangedRow]:
        """Yield each row that differs as it was, what was written to it, and what is to be told of it."""
        told: dict[Any, Sequence[_Due] | None] = {}
        for row in self._rows:
            new = constant if found is None else found.get(row[0])
            if new is None:
                continue
            old = row[1 : 1 + len(self._written)]
            if found is not None or not _is_key(old):
                events = self._told(old, new)
            elif old in told:
                events = told[old]
            else:
                events = self._told(old, new)
                if len(told) < MOST_TOLD:
                    told[old] = events
            if events is not None:
                yield row, new, events

    def _told(self, values: tuple[Any, ...], new: Mapping[str, Any]) -> Sequence[_Due] | None:
        """Return the events of a row that had these values; None if it has them still."""
        old = {field.attname: value for field, value in zip(self._written, values, strict=True)}
        changes = stored_values.changed_values(self._written, old, new)
        if not changes:
            return None
        return [
            (declared, name, change)
            for declared in self._declared
            for name, change in declared.declaration.events_of(declared.changed(changes)).items()
        ]


def _is_key(values: tuple[Any, ...]) -> bool:
    try:
        hash(values)
    except TypeError:  # there are lists or dicts among them
        return False
    return True
