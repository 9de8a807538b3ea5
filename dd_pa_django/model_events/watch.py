"""What is followed of one model class, and the events that come of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from dd_pa.model_events import Declaration
from dd_pa_django.database_connection import connection_of
from dd_pa_django.model_events import stored_values
from dd_pa_django.model_events.class_declaration import ClassDeclaration
from dd_pa_django.model_events.event_firing import EventFiring, active_emitter, firing_together
from dd_pa_django.model_events.row_key import root_of, row_key
from dd_pa_django.model_events.row_memory import (
    forget,
    is_doubtful,
    is_there,
    known,
    note_created,
    note_leaving,
    note_left,
    note_read,
    note_rows_written,
    note_table_written,
)

_ABSENT, _UNKNOWN = object(), object()


class ModelWatch:
    """The declarations that hold for one concrete class, its own and inherited ones. Raises `ValueError` if wrong.

    `deletions` are fewer: the row that a parent model has of the same object is deleted by itself.
    """

    def __init__(
        self, model: type[Model], declarations: Sequence[Declaration], deletions: Sequence[Declaration]
    ) -> None:
        self.model = model
        declared = {id(item): ClassDeclaration(model, item) for item in (*declarations, *deletions)}
        self.creations = [(declared[id(item)], item.created) for item in declarations if item.created]
        self.deletions = [(declared[id(item)], item.deleted) for item in deletions if item.deleted]
        self.updates = [declared[id(item)] for item in declarations if item.updated]
        self.fields = list({field.attname: field for item in self.updates for field in item.columns.values()}.values())
        self.relations = list(dict.fromkeys(field for item in self.updates for field in item.relations.values()))
        self._followed = frozenset(field.attname for field in self.fields)
        self._told = _columns(*(field for item in self.updates for field in item.sent.values()))
        self._left = _columns(*(field for item, _ in self.deletions for field in item.sent.values()))
        created = (field for item, _ in self.creations for field in item.sent.values())
        self.remembered = list(_columns(*self.fields, *self._told.values(), *self._left.values()).values())
        """The fields of which it is known what the row has: those that are followed, and what their events carry."""

        self._new = list(_columns(*self.remembered, *created).values())
        self._generated = [field.attname for field in self.remembered if field.generated]
        self._attnames = tuple(field.attname for field in self.remembered)
        self.root = root_of(model)
        self.table: Any = model._meta.concrete_model or model
        self._tables = (self.table, *self.table._meta.get_parent_list()) if deletions or self.relations else ()

    def follows(self, names: Collection[str]) -> bool:
        """Tell whether one of these names, of fields that are written, is of a field with an event."""
        return bool(self.written(names))

    def written(self, names: Collection[str] | None) -> list[Any]:
        """Return the followed fields that are written with these names, all with None."""
        if names is None:
            return self.fields
        return [item for item in self.fields if item.name in names or item.attname in names]

    def _remembered(self, names: Collection[str] | None) -> list[Any]:
        """Return the remembered fields that are written with these names, all with None."""
        if names is None:
            return self.remembered
        return [item for item in self.remembered if item.name in names or item.attname in names]

    def on_load(self, instance: Model) -> None:
        """Remember what was loaded. Called for each instance that is, so it does no more than it must."""
        values, found = instance.__dict__, {}
        for name in self._attnames:
            if name in values:
                value = values[name]
                found[name] = value if type(value) in stored_values.UNCHANGING else stored_values.kept(value)
        note_read(instance, found, connection_of(instance._state.db or DEFAULT_DB_ALIAS))

    def on_refresh(self, instance: Model, names: Collection[str] | None) -> None:
        """Remember what was read again, of some fields with what is known of the rest."""
        using = instance._state.db or DEFAULT_DB_ALIAS
        read = stored_values.loaded(instance, self._remembered(names), using)
        connection = connection_of(using)
        others = {} if names is None else known(instance, self.root, connection)  # of what is deferred, nothing is
        note_read(instance, {**others, **read}, connection)

    def before_save(self, instance: Model, names: Collection[str] | None, using: str) -> None:
        """Read the old values that are not known of one row. Mostly there are none, and then this is all."""
        if names is None and known(instance, self.root, connection_of(using)).keys() >= self._followed:
            return
        self.before_update([instance], names, using)

    def before_update(self, instances: Sequence[Model], names: Collection[str] | None, using: str) -> None:
        """Read the old values that are not known: of deferred fields, and after a rollback."""
        written = {field.attname for field in self.written(names)}
        if not written:
            return
        connection = connection_of(using)
        unsure = [item for item in instances if not written <= known(item, self.root, connection).keys()]
        if not unsure or active_emitter() is None:
            return
        for item in unsure:
            if item._state.db != using:  # Django loads what is deferred from there, and this would be noted last
                for name in item.get_deferred_fields():
                    getattr(item, name)
        found = stored_values.read(self.model, [row_key(item) for item in unsure], self.remembered, using)
        for item in unsure:
            if row_key(item) in found:
                note_read(item, found[row_key(item)], connection)
            else:  # the row has gone, and an instance that has looked for it has not seen another
                forget(item)

    def after_save(self, instance: Model, names: Collection[str] | None, using: str) -> None:
        """Do what `after_update` does of one row, of which mostly nothing has changed, or one field."""
        connection = connection_of(using)
        values, old = instance.__dict__, known(instance, self.root, connection)
        changed = [  # a value that could change by itself was copied when it was read
            field
            for field in self._remembered(names)
            if values.get(field.attname, _ABSENT) is not old.get(field.attname, _UNKNOWN)
        ]
        if self._generated or not all(self._is_known(field.attname, old, values) for field in changed):
            self.after_update([instance], names, using)
        elif changed:
            self._after_change(instance, changed, old, connection)

    @staticmethod
    def _is_known(name: str, old: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
        return name in old and name in values and not stored_values.is_expression(values[name])

    def _after_change(
        self, instance: Model, fields: Sequence[Any], old: Mapping[str, Any], connection: BaseDatabaseWrapper
    ) -> None:
        """Fire the events of one row, of which all is known, and only these fields may differ."""
        new = {
            field.attname: stored_values.assigned(field, instance.__dict__[field.attname], connection.alias)
            for field in fields
        }
        differing = stored_values.changed_values(fields, old, new)
        if not differing:
            return
        row: Mapping[str, Any] = {**old, **new}
        note_rows_written((row_key(instance),), self.root, connection)
        note_read(instance, row, connection)
        changes = {name: pair for name, pair in differing.items() if name in self._followed}
        emitter = active_emitter() if changes else None
        if emitter is None:
            return
        if not row.keys() >= self._told.keys():
            self._complete([instance], connection)
            row = known(instance, self.root, connection)
        fire = EventFiring(emitter, connection.alias)
        for declared in self.updates:
            fire.updates(declared, instance, declared.changed(changes), row)

    def after_update(self, instances: Sequence[Model], names: Collection[str] | None, using: str) -> None:
        """Fire the events of fields that differ from what was known of them, and know better from now on."""
        connection = connection_of(using)
        found = self._changes(instances, self._remembered(names), connection)
        emitter = active_emitter() if found else None
        if emitter is None:
            return
        self._complete([instance for instance, _ in found], connection)
        if len(found) == 1:
            self._fire(EventFiring(emitter, using), *found[0])
            return
        with firing_together(emitter, using) as fire:
            for instance, changes in found:
                self._fire(fire, instance, changes)

    def _changes(
        self, instances: Sequence[Model], written: Sequence[Any], connection: BaseDatabaseWrapper
    ) -> list[tuple[Model, stored_values.Changes]]:
        """Return those whose followed fields have changed, and how, and keep what is known of all now."""
        found: list[tuple[Model, stored_values.Changes]] = []
        learned = []
        for instance, new in zip(instances, self._new_values(instances, written, connection.alias), strict=True):
            old = known(instance, self.root, connection)
            differing = stored_values.changed_values(written, old, new)
            changes = {name: differing[name] for name in self._followed & differing.keys()}
            if changes:
                found.append((instance, changes))
            past = {field.attname for field in written if field.attname not in new}.union(self._generated)
            if differing or not old.keys() >= new.keys() or not old.keys().isdisjoint(past):
                learned.append((instance, {**old, **new}, past))  # else all that was known is as true as before
        note_rows_written([row_key(instance) for instance, _, _ in learned], self.root, connection)
        for instance, values, past in learned:
            note_read(instance, {name: values[name] for name in values.keys() - past} if past else values, connection)
        return found

    def _new_values(self, instances: Sequence[Model], written: Sequence[Any], using: str) -> list[dict[str, Any]]:
        """Return what was written; what only the database knows, as after `F("stock") - 1`, is read in one query."""
        written = [field for field in written if not field.generated]
        values = [stored_values.loaded(instance, written, using) for instance in instances]
        followed = {field.attname for field in written} & self._followed
        unsure = [item for item, new in zip(instances, values, strict=True) if not new.keys() >= followed]
        if not unsure or active_emitter() is None:
            return values
        found = stored_values.read(self.model, [row_key(item) for item in unsure], written, using)
        return [found.get(row_key(item), new) for item, new in zip(instances, values, strict=True)]

    def _complete(self, instances: Sequence[Model], connection: BaseDatabaseWrapper) -> None:
        """Read what events of changes carry and is not known: generated columns, and what an expression has come to."""
        unsure = [item for item in instances if not known(item, self.root, connection).keys() >= self._told.keys()]
        if not unsure:
            return
        fields = list(self._told.values())
        found = stored_values.read(self.model, [row_key(item) for item in unsure], fields, connection.alias)
        for item in unsure:
            there = found.get(row_key(item))
            if there is None:  # it has gone by the same operation, with what it was loaded with
                there = stored_values.loaded(item, fields, connection.alias)
            note_read(item, {**there, **known(item, self.root, connection)}, connection)

    def _fire(self, fire: EventFiring, instance: Model, changes: stored_values.Changes) -> None:
        for declared in self.updates:
            fire.updates(declared, instance, declared.changed(changes))

    def after_create(self, instance: Model, using: str) -> None:
        """Know the new row, and fire its events."""
        self._note_created([instance], [instance], using)
        emitter = active_emitter() if self.creations else None
        if emitter is not None:
            self._fire_all(EventFiring(emitter, using), self.creations, instance)

    def after_bulk_create(self, instances: Sequence[Model], keyed: Sequence[Model], using: str) -> None:
        """Do what `after_create` does of many rows, of which these had a key before: there may have been others."""
        self._note_created(instances, keyed, using)
        emitter = active_emitter() if self.creations and instances else None
        if emitter is not None:
            with firing_together(emitter, using) as fire:
                fire.of_all(self.creations, instances)

    def _note_created(self, instances: Sequence[Model], keyed: Sequence[Model], using: str) -> None:
        if not self._new and not self._tables:
            return
        connection, new = connection_of(using), self._new
        if not connection.features.can_return_rows_from_bulk_insert:
            new = [field for field in new if not field.generated]
        note_rows_written([row_key(item) for item in keyed], self.root, connection)
        for instance in instances:
            note_read(instance, stored_values.loaded(instance, new, using), connection)
            for table in self._tables:
                note_created(instance, table, connection)

    def after_raw(self, instance: Model, using: str) -> None:
        """Know that a row was written of which nothing is told."""
        forget(instance)
        note_rows_written([row_key(instance)], self.root, connection_of(using))

    def after_untold(self, names: Collection[str] | None, pks: Sequence[Any], using: str) -> None:
        """Know that fields with these names were written in a way that is not told: to these rows, or to some."""
        if not self._generated and not self._remembered(names):
            return
        if pks and None not in pks:
            note_rows_written(pks, self.root, connection_of(using))
        else:
            note_table_written(self.root, connection_of(using))

    def before_delete(self, instance: Model, using: str) -> None:
        """Fire while what belongs to the row is still there for the callables; a failing deletion takes it back."""
        connection = connection_of(using)
        emitter = active_emitter() if self.deletions else None
        if emitter is not None and not known(instance, self.root, connection).keys() >= self._left.keys():
            found = stored_values.read(self.model, [row_key(instance)], self.remembered, using)
            if row_key(instance) not in found:
                return
            note_read(instance, found[row_key(instance)], connection)
        elif is_doubtful(instance) and not stored_values.read(self.model, [row_key(instance)], [], using):
            return
        if not is_there(instance, self.table, connection):
            return
        if emitter is not None:
            self._fire_all(EventFiring(emitter, using), self.deletions, instance)
        note_leaving(instance, self.table, connection)

    def after_delete(self, instance: Model, using: str) -> None:
        """Know that the row has gone."""
        note_left(instance, self.table, connection_of(using))

    def _fire_all(self, fire: EventFiring, events: Sequence[tuple[ClassDeclaration, str]], instance: Model) -> None:
        for declared, name in events:
            fire(declared, name, instance)


watches: dict[type[Model], ModelWatch] = {}  # by class


def _columns(*fields: Any) -> dict[str, Any]:
    return {field.attname: field for field in fields}
