"""A declaration as it holds for one class: its names are looked up once, and not for each event."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import F, Model

from dd_pa.model_events import Change, Declaration
from dd_pa_django.database_connection import connection_of
from dd_pa_django.model_events import stored_values
from dd_pa_django.model_events.row_key import root_of, row_key
from dd_pa_django.model_events.row_memory import known


class ClassDeclaration:
    """One declaration of a concrete class, its own or an inherited one. Raises `ValueError` if it is wrong."""

    def __init__(self, model: type[Model], declaration: Declaration) -> None:
        self.declaration = declaration
        self._model = model
        self._root = root_of(model)
        self.label = declaration.label or str(model._meta.model_name)
        declaration.check_label(self.label)
        followed = {name: self._followed(name) for name in declaration.followed}
        self.columns = {name: field for name, field in followed.items() if not field.many_to_many}
        self.relations = {name: field for name, field in followed.items() if field.many_to_many}
        """What is followed: the fields by the names that the declaration gives them."""

        attributes = declaration.attributes
        self.constant = attributes if isinstance(attributes, Mapping) else {}
        """What each event says, whatever the row has."""

        declaration.check_rows(self.label, lambda name: hasattr(model, name) or self._has_column(name))
        columns = [name for name in declaration.names_of_rows(self.label) if self._has_column(name)]
        self.sent = {name: self._column(name) for name in (*declaration.columns, *columns)}
        """The columns that each event carries."""

        self._reads = tuple((name, field.attname, field, field.primary_key) for name, field in self.sent.items())
        self._compares = tuple((name, field.attname, field) for name, field in self.columns.items())

    def _field(self, name: str) -> Any:
        try:
            return self._model._meta.pk if name == "pk" else self._model._meta.get_field(name)
        except FieldDoesNotExist:
            raise ValueError(f"track_model: {self._model._meta.label} has no field {name!r}") from None

    def _has_column(self, name: str) -> bool:
        try:
            return _is_column(self._model._meta.get_field(name))
        except FieldDoesNotExist:
            return False

    def _followed(self, name: str) -> Any:
        field = self._field(name)
        is_forward_relation = field.many_to_many and not field.auto_created
        if getattr(field, "generated", False) or not (_is_column(field) or is_forward_relation):
            raise ValueError(f"track_model: {self._model._meta.label}.{name} has no value that could be followed")
        return field

    def _column(self, name: str) -> Any:
        field = self._field(name)
        if not _is_column(field):
            raise ValueError(f"track_model: {self._model._meta.label}.{name} is no column; give a callable")
        return field

    @property
    def asks_instances(self) -> bool:
        """Whether callables of the declaration want to see the object of a row."""
        declaration = self.declaration
        asks = callable(declaration.attributes) or declaration.when is not None or declaration.identity is not None
        return asks or bool(declaration.typed)

    def changed(self, changes: stored_values.Changes) -> Change:
        """Return changes as events say them, of what is followed here."""
        return {
            name: {
                "old": stored_values.sent(field, changes[attname][0]),
                "new": stored_values.sent(field, changes[attname][1]),
            }
            for name, attname, field in self._compares
            if attname in changes
        }

    def columns_of(
        self, instance: Model, using: str, known_row: Mapping[str, Any] | None = None
    ) -> Callable[[Sequence[str]], Mapping[str, Any]]:
        """Return what reads the columns of an instance's row, foreign keys as keys.

        The instance may have other values, which nobody has saved. `known_row` is what is known of it, if that was
        looked up already.
        """

        def read(names: Sequence[str]) -> Mapping[str, Any]:
            row = known(instance, self._root, connection_of(using)) if known_row is None else known_row
            found, unknown = {}, False
            for name, attname, field, is_key in self._reads:
                value = row[attname] if attname in row else _of_instance(instance, field, using)
                if type(value) in stored_values.PLAIN:
                    if value is not None or not is_key:  # a bulk insert on MySQL says no key
                        found[name] = value
                elif stored_values.is_expression(value):
                    unknown = True
                    found[name] = value
                else:
                    found[name] = stored_values.sent(field, stored_values.kept(value))
            return self._known_by_database(instance, found, using) if unknown else found

        return read

    def _known_by_database(self, instance: Model, values: dict[str, Any], using: str) -> Mapping[str, Any]:
        """Ask for what only the database knows, as after `F("stock") - 1`; of a row that has gone nothing is left."""
        unknown = {name: self.sent[name] for name, value in values.items() if stored_values.is_expression(value)}
        found = stored_values.read(type(instance), [row_key(instance)], list(unknown.values()), using).get(
            row_key(instance), {}
        )
        for name, field in unknown.items():
            values[name] = stored_values.sent(field, found.get(field.attname, values[name]))
        return values

    def columns_of_all(self, instances: Sequence[Model], using: str) -> list[list[Any]] | None:
        """Return the values of each column of new rows; None if there are some that `columns_of` has to look at."""
        columns, connection = [], connection_of(using)
        rows = [known(instance, self._root, connection) for instance in instances]
        for _, attname, _, is_key in self._reads:
            if not all(attname in row for row in rows):
                return None
            values = [row[attname] for row in rows]
            kinds = set(map(type, values))
            if not kinds <= stored_values.UNCHANGING or (is_key and type(None) in kinds):
                return None
            columns.append(values)
        return columns

    def sent_columns(self, columns: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
        """Return the values of columns of rows as events say them."""
        fields = self.sent.values()
        return [stored_values.sent_column(field, values) for field, values in zip(fields, columns, strict=True)]


def _of_instance(instance: Model, field: Any, using: str) -> Any:
    """Return what is in the row, by the instance; an expression where only the database knows."""
    if field.generated:
        return F(field.name)
    value = getattr(instance, field.attname)
    return value if stored_values.is_expression(value) else stored_values.assigned(field, value, using)


def _is_column(field: Any) -> bool:
    return getattr(field, "column", None) is not None and not field.many_to_many
