"""Changes of many-to-many fields, from either side."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any
from weakref import WeakSet

from django.db.models import Model
from django.db.models.fields.related import lazy_related_operation
from django.db.models.signals import m2m_changed

from dd_pa.model_events import MAX_PKS
from dd_pa_django.database_connection import connection_of
from dd_pa_django.model_events.event_firing import EventFiring, active_emitter
from dd_pa_django.model_events.row_key import row_key
from dd_pa_django.model_events.watch import watches
from dd_pa_django.transaction_block import block_of

_DONE = {"post_add": "added", "post_remove": "removed", "post_clear": "cleared"}

_raw: WeakSet[Any] = WeakSet()
"""The states of instances that `loaddata` makes: their relations follow, with a signal that does not say so."""

_fields: dict[type[Model], Any] = {}
"""The followed field of each table between."""


def listen(model: type[Model], field: Any, uid: str) -> None:
    """Notice changes of a many-to-many field, as soon as the model between the two is there."""

    def connect(model: type[Model], through: type[Model]) -> None:
        _fields[through] = field
        m2m_changed.connect(_on_change, sender=through, dispatch_uid=uid)

    lazy_related_operation(connect, model, field.remote_field.through)


def mark_raw(instance: Model, raw: bool) -> None:
    """Remember whether `loaddata` has made this instance."""
    if raw:
        _raw.add(instance._state)
    else:
        _raw.discard(instance._state)


def _on_change(
    sender: type[Model],
    instance: Model,
    action: str,
    reverse: bool,
    model: type[Model],
    pk_set: Collection[Any] | None,
    using: str,
    **kwargs: Any,
) -> None:
    block = block_of(connection_of(using))  # Django changes relations in a transaction
    if kwargs.get("raw") or instance._state in _raw or block is None or active_emitter() is None:
        return
    field = _fields[sender]
    if action in ("pre_remove", "pre_clear"):
        block.leaving[sender, id(instance)] = _related(sender, field, instance, reverse, pk_set, using)
    if action not in _DONE:
        return
    pks = pk_set if action == "post_add" else block.leaving.pop((sender, id(instance)), ())
    for changed, others in _changed(field, instance, reverse, model, pks or (), using):
        fire_relation(changed, field, _DONE[action], others, using)


def _related(
    through: type[Model], field: Any, instance: Model, reverse: bool, pks: Collection[Any] | None, using: str
) -> list[Any]:
    """Return which of these are related now, of all if there are none given: Django does not look."""
    source, target = field.m2m_field_name(), field.m2m_reverse_field_name()
    if reverse:
        source, target = target, source
    rows = through._base_manager.using(using).filter(**{source: instance})
    if pks is not None:
        rows = rows.filter(**{f"{target}__in": pks})
    return list(rows.values_list(target, flat=True))


def _changed(
    field: Any, instance: Model, reverse: bool, model: type[Model], pks: Collection[Any], using: str
) -> Iterator[tuple[Model, Collection[Any]]]:
    """Yield the instances whose field has changed, and the keys that came or went.

    Of a symmetrical field both sides have; Django tells of one.
    """
    if pks and not reverse:
        yield instance, pks
    if pks and (reverse or field.remote_field.symmetrical):
        for other in model._base_manager.using(using).filter(pk__in=pks).order_by("pk"):
            if reverse or other.pk != instance.pk:
                yield other, [row_key(instance)]


def fire_relation(instance: Model, field: Any, action: str, pks: Collection[Any], using: str) -> None:
    """Tell of keys that came into a many-to-many field of an instance, or left it."""
    emitter, watch = active_emitter(), watches.get(type(instance))
    if emitter is None or watch is None:
        return
    fire, details = EventFiring(emitter, using), {"action": action, "count": len(pks), "pks": sorted(pks)[:MAX_PKS]}
    for item in watch.updates:
        change = {name: details for name, followed in item.relations.items() if followed == field}
        fire.updates(item, instance, change)
