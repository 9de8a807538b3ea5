"""Followed fields that change because the object on the other side is deleted.

Django empties a foreign key, or sets its default, and removes rows of many-to-many tables without a signal for them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CASCADE, DO_NOTHING, PROTECT, RESTRICT, SET_NULL, Model
from django.db.models.fields.related import lazy_related_operation
from django.db.models.signals import class_prepared, post_delete, pre_delete

from dd_pa_django.database_connection import connection_of
from dd_pa_django.model_events import stored_values
from dd_pa_django.model_events.event_firing import active_emitter
from dd_pa_django.model_events.relations import fire_relation
from dd_pa_django.model_events.row_key import row_key
from dd_pa_django.model_events.row_memory import MANY_ROWS, is_deleted, keep_known, known, note_read
from dd_pa_django.model_events.watch import ModelWatch, watches
from dd_pa_django.transaction_block import TransactionBlock, block_of

_UID = "dd_pa_django.model_events.cascades"

_WITHOUT_CHANGE = (CASCADE, PROTECT, RESTRICT, DO_NOTHING)

_followers: defaultdict[type[Model], set[tuple[type[Model], Any]]] = defaultdict(set)
"""The classes, and their fields, that point to the rows of a concrete class."""


def listen(model: type[Model], field: Any) -> None:
    """Notice when an object is deleted that this field of a class points to."""
    remote = field.remote_field
    if model._meta.proxy or remote is None or getattr(remote, "on_delete", None) in _WITHOUT_CHANGE:
        return

    def connect(model: type[Model], target: type[Model]) -> None:
        root: Any = target._meta.concrete_model
        _followers[root].add((model, field))
        for heir in (root, *_proxies(root)):
            _connect(heir)

    lazy_related_operation(connect, model, remote.model)


def _following(target: type[Model]) -> Iterator[tuple[type[Model], Any]]:
    """Yield who follows a class: of a parent and its children, which have the row in common, the parent."""
    followers = _followers[target]
    for model, field in followers:
        if not any(other is field and issubclass(model, parent) and model is not parent for parent, other in followers):
            yield model, field


def _proxies(model: type[Model]) -> Iterator[type[Model]]:
    for heir in model.__subclasses__():
        if heir._meta.proxy:
            yield heir
            yield from _proxies(heir)


def _connect(model: type[Model]) -> None:
    pre_delete.connect(_before_delete, sender=model, dispatch_uid=_UID)
    post_delete.connect(_after_delete, sender=model, dispatch_uid=_UID)


def _on_class_prepared(sender: type[Model], **kwargs: Any) -> None:
    if sender._meta.proxy and sender._meta.concrete_model in _followers:
        _connect(sender)


def _before_delete(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    block = block_of(connection_of(using))  # Django deletes in a transaction
    if active_emitter() is None or block is None:
        return
    target: Any = sender._meta.concrete_model
    found = [(model, field, _rows_with(model, field, instance, using)) for model, field in _following(target)]
    block.leaving[sender, id(instance)] = [item for item in found if item[2]]
    for model, field, rows in found:
        if not field.many_to_many:
            pointing = block.pointing[watches[model].root]
            for row in rows:
                pointing[row.pk].append(row)


def _rows_with(model: type[Model], field: Any, instance: Model, using: str) -> list[Model]:
    """Return the objects of the followed class that point to this one."""
    rows = model._base_manager.using(using).order_by("pk")
    if not field.many_to_many:
        return list(rows.filter(**{field.name: instance}))
    between = field.remote_field.through._base_manager.using(using)
    pointing = between.filter(**{field.m2m_reverse_field_name(): instance}).order_by()
    return list(rows.filter(pk__in=pointing.values(field.m2m_field_name())))


def _after_delete(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    connection = connection_of(using)
    block = block_of(connection)
    if block is None:
        return
    for model, field, rows in block.leaving.pop((sender, id(instance)), ()):
        watch = watches[model]
        if not field.many_to_many:
            for row in rows:
                if is_deleted(row, watch.table, connection):  # by the same deletion, which has emptied its field before
                    keep_known(row, connection)
            with _still_known(block, watch, rows, connection):
                watch.after_update(_as_left(rows, field, using), [field.attname], using)
            continue
        for row in rows:
            if not is_deleted(row, watch.table, connection):
                fire_relation(row, field, "removed", [row_key(instance)], using)


@contextmanager
def _still_known(
    block: TransactionBlock, watch: ModelWatch, rows: list[Model], connection: BaseDatabaseWrapper
) -> Iterator[None]:
    """Keep what is known of rows that also point to it, or to another object that goes, by another field.

    Django has written all of their fields by one and the same deletion, and what was there before cannot be read again.
    """
    pointing = block.pointing[watch.root]
    for row in rows:
        pointing[row.pk] = [other for other in pointing[row.pk] if other is not row]
        if not pointing[row.pk]:
            del pointing[row.pk]
    keys = list(pointing) if len(rows) > MANY_ROWS else [row.pk for row in rows if row.pk in pointing]
    others = [(other, known(other, watch.root, connection)) for key in keys for other in pointing[key]]
    yield
    for other, values in others:
        if values:
            note_read(other, values, connection)


def _as_left(rows: list[Model], field: Any, using: str) -> list[Model]:
    """Return the rows that are still there, with the value that they have now."""
    if field.remote_field.on_delete is SET_NULL:
        values: Any = dict.fromkeys([row.pk for row in rows])
    else:
        found = stored_values.read(type(rows[0]), [row.pk for row in rows], [field], using)
        values = {pk: columns[field.attname] for pk, columns in found.items()}
    for row in rows:
        setattr(row, field.attname, values.get(row.pk))
    return [row for row in rows if row.pk in values]


class_prepared.connect(_on_class_prepared, dispatch_uid=_UID)
