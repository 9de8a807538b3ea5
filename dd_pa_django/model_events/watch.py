"""What is followed of one model class, and the events that come of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from dd_pa import Emitter
from dd_pa.model_events import Change, Declaration
from dd_pa_django.model_events import stored_values
from dd_pa_django.model_events.firing import active_emitter, fire
from dd_pa_django.model_events.row_memory import is_doubtful, known, note_created, note_deleted, note_read, note_written


@dataclass(frozen=True, slots=True, kw_only=True)
class Follows:
    """What one declaration follows: the fields by the names that it gives them."""

    declaration: Declaration
    columns: Mapping[str, Any]
    relations: Mapping[str, Any]


class ModelWatch:
    """The declarations that hold for one concrete class, its own and inherited ones. Raises `ValueError` if wrong.

    `deletions` are fewer: the row that a parent model has of the same object is deleted by itself.
    """

    def __init__(
        self, model: type[Model], declarations: Sequence[Declaration], deletions: Sequence[Declaration]
    ) -> None:
        self.model = model
        self.creations = [(item, item.created) for item in declarations if item.created]
        self.deletions = [(item, item.deleted) for item in deletions if item.deleted]
        self.updates = [self._follows(item) for item in declarations if item.updated]
        self.fields = list({field.attname: field for item in self.updates for field in item.columns.values()}.values())
        self.relations = list(dict.fromkeys(field for item in self.updates for field in item.relations.values()))
        self._attnames = tuple(field.attname for field in self.fields)
        self.root = _root_of(model)
        self.table: Any = model._meta.concrete_model or model
        for item in declarations:
            self._check_columns(item)

    def _follows(self, declaration: Declaration) -> Follows:
        fields = {name: self._followed(name) for name in declaration.followed}
        return Follows(
            declaration=declaration,
            columns={name: field for name, field in fields.items() if not field.many_to_many},
            relations={name: field for name, field in fields.items() if field.many_to_many},
        )

    def _field(self, name: str) -> Any:
        try:
            return self.model._meta.pk if name == "pk" else self.model._meta.get_field(name)
        except FieldDoesNotExist:
            raise ValueError(f"track_model: {self.model._meta.label} has no field {name!r}") from None

    def _followed(self, name: str) -> Any:
        field = self._field(name)
        is_forward_relation = field.many_to_many and not field.auto_created
        if getattr(field, "generated", False) or not (_is_column(field) or is_forward_relation):
            raise ValueError(f"track_model: {self.model._meta.label}.{name} has no value that could be followed")
        return field

    def _check_columns(self, declaration: Declaration) -> None:
        for name in declaration.columns:
            if not _is_column(self._field(name)):
                raise ValueError(f"track_model: {self.model._meta.label}.{name} is no column; give a callable")
        declaration.check_label(declaration.label or str(self.model._meta.model_name))

    def follows(self, names: Collection[str]) -> bool:
        """Tell whether one of these names, of fields that are written, is of a field with an event."""
        return bool(self._written(names))

    def _written(self, names: Collection[str] | None) -> list[Any]:
        return [item for item in self.fields if names is None or item.name in names or item.attname in names]

    def _known(self, instance: Model, connection: BaseDatabaseWrapper) -> Mapping[str, Any]:
        return known(instance, self.root, connection)

    def on_load(self, instance: Model) -> None:
        """Remember what was loaded. Called for each instance that is, so it does no more than it must."""
        values, found = instance.__dict__, {}
        for name in self._attnames:
            if name in values:
                value = values[name]
                found[name] = value if type(value) in stored_values.UNCHANGING else stored_values.kept(value)
        note_read(instance, found, connections[instance._state.db or DEFAULT_DB_ALIAS])

    def on_refresh(self, instance: Model, names: Collection[str] | None) -> None:
        """Remember what was read again, with what is known of the rest."""
        using = instance._state.db or DEFAULT_DB_ALIAS
        read = stored_values.loaded(instance, self._written(names), using)
        connection = connections[using]
        note_read(instance, {**self._known(instance, connection), **read}, connection)

    def before_update(self, instances: Sequence[Model], names: Collection[str] | None, using: str) -> None:
        """Read the old values that are not known: of deferred fields, and after a rollback. Mostly there are none."""
        written = {field.attname for field in self._written(names)}
        if not written:
            return
        connection = connections[using]
        unsure = [item for item in instances if not written <= self._known(item, connection).keys()]
        if not unsure or active_emitter() is None:
            return
        found = stored_values.read(self.model, [item.pk for item in unsure], self.fields, using)
        for item in unsure:
            note_read(item, found.get(item.pk, {}), connection)

    def after_update(self, instances: Sequence[Model], names: Collection[str] | None, using: str) -> None:
        """Fire the events of fields that differ from what was known of them, and know better from now on."""
        written = self._written(names)
        if not written:
            return
        connection = connections[using]
        for instance, new in zip(instances, self._new_values(instances, written, using), strict=True):
            old = self._known(instance, connection)
            changes = {
                field.attname: {"old": old[field.attname], "new": new[field.attname]}
                for field in written
                if field.attname in new
                and field.attname in old
                and stored_values.differs(field, old[field.attname], new[field.attname])
            }
            if changes or not old.keys() >= new.keys():  # else all that was known is as true as before
                note_written(instance, {**old, **new}, self.root, connection)
            self._fire_updates(instance, changes, using)

    def _new_values(self, instances: Sequence[Model], written: Sequence[Any], using: str) -> list[dict[str, Any]]:
        """Return what was written; what only the database knows, as after `F("stock") - 1`, is read in one query."""
        values = [stored_values.loaded(instance, written, using) for instance in instances]
        unsure = [item for item, new in zip(instances, values, strict=True) if len(new) < len(written)]
        if not unsure or active_emitter() is None:
            return values
        found = stored_values.read(self.model, [item.pk for item in unsure], written, using)
        return [found.get(item.pk, new) for item, new in zip(instances, values, strict=True)]

    def _fire_updates(self, instance: Model, changes: Mapping[str, Any], using: str) -> None:
        emitter = active_emitter() if changes else None
        if emitter is None:
            return
        for item in self.updates:
            change = {
                name: {side: stored_values.sent(field, value) for side, value in changes[field.attname].items()}
                for name, field in item.columns.items()
                if field.attname in changes
            }
            fire_updates(emitter, item.declaration, instance, change, using)

    def after_create(self, instance: Model, using: str) -> None:
        if self.fields or self.deletions:
            connection = connections[using]
            note_written(instance, stored_values.loaded(instance, self.fields, using), self.root, connection)
            if self.deletions:
                note_created(instance, self.table, connection)
        self._fire_all(self.creations, instance, using)

    def before_delete(self, instance: Model, using: str) -> None:
        """Fire while what belongs to the row is still there for the callables; a failing deletion takes it back."""
        if is_doubtful(instance) and not stored_values.read(self.model, [instance.pk], [], using):
            return
        if note_deleted(instance, self.table, connections[using]):
            self._fire_all(self.deletions, instance, using)

    def _fire_all(self, events: Sequence[tuple[Declaration, str]], instance: Model, using: str) -> None:
        emitter = active_emitter() if events else None
        if emitter is None:
            return
        for declaration, name in events:
            fire(emitter, declaration, name, instance, using=using)


watches: dict[type[Model], ModelWatch] = {}
"""What is followed, by class."""


def _is_column(field: Any) -> bool:
    return getattr(field, "column", None) is not None and not field.many_to_many


def _root_of(model: type[Model]) -> type[Model]:
    """Return the class of the first of an object's tables, whose rows have its primary key."""
    root: Any = model._meta.concrete_model or model
    while root._meta.pk.remote_field is not None and root._meta.pk.remote_field.parent_link:
        root = root._meta.pk.remote_field.model._meta.concrete_model
    return root  # type: ignore[no-any-return]


def fire_updates(emitter: Emitter, declaration: Declaration, instance: Model, change: Change, using: str) -> None:
    """Fire the events that a declaration has for a change."""
    for event, changed in declaration.events_of(change).items():
        fire(emitter, declaration, event, instance, using=using, changed=changed)
