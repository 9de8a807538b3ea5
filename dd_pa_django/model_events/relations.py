"""Changes of many-to-many fields, from either side."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from django.db.models import Model
from django.db.models.fields.related import lazy_related_operation
from django.db.models.signals import m2m_changed

from dd_pa_django.model_events.firing import active_emitter
from dd_pa_django.model_events.watch import fire_updates, watches

MAX_PKS = 100
"""Most keys that an event lists; `count` says how many there were."""

_DONE = {"post_add": "added", "post_remove": "removed", "post_clear": "cleared"}
_LEAVING = "dd_pa_leaving"
_RAW = "dd_pa_raw"

_fields: dict[type[Model], Any] = {}
"""The followed field of each table between."""


def listen(model: type[Model], field: Any, uid: str) -> None:
    """Notice changes of a many-to-many field, as soon as the model between the two is there."""

    def connect(model: type[Model], through: type[Model]) -> None:
        _fields[through] = field
        m2m_changed.connect(_on_change, sender=through, dispatch_uid=uid)

    lazy_related_operation(connect, model, field.remote_field.through)


def mark_raw(instance: Model, raw: bool) -> None:
    """Remember that `loaddata` makes this instance: its relations follow, with a signal that does not say so."""
    if raw or _RAW in instance._state.__dict__:
        instance._state.__dict__[_RAW] = raw


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
    if kwargs.get("raw") or instance._state.__dict__.get(_RAW) or active_emitter() is None:
        return
    field = _fields[sender]
    if action in ("pre_remove", "pre_clear"):
        instance._state.__dict__[_LEAVING] = _related(sender, field, instance, reverse, pk_set, using)
    if action not in _DONE:
        return
    pks = pk_set if action == "post_add" else instance._state.__dict__.pop(_LEAVING, ())
    for changed, others in _changed(instance, reverse, model, pks or (), using):
        _fire(changed, field, _DONE[action], others, using)


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
    instance: Model, reverse: bool, model: type[Model], pks: Collection[Any], using: str
) -> Iterator[tuple[Model, Collection[Any]]]:
    """Yield the instances whose field has changed, and the keys that came or went."""
    if not pks:
        return
    if not reverse:
        yield instance, pks
        return
    for other in model._base_manager.using(using).filter(pk__in=pks).order_by("pk"):
        yield other, [instance.pk]


def _fire(instance: Model, field: Any, action: str, pks: Collection[Any], using: str) -> None:
    emitter, watch = active_emitter(), watches.get(type(instance))
    if emitter is None or watch is None:
        return
    details = {"action": action, "count": len(pks), "pks": sorted(pks)[:MAX_PKS]}
    for item in watch.updates:
        change = {name: details for name, followed in item.relations.items() if followed == field}
        fire_updates(emitter, item.declaration, instance, change, using)
