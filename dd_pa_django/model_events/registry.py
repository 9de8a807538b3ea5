"""Which models have events, and the signals that tell of their rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import wraps
from typing import Any

from django.db.models import Model
from django.db.models.signals import class_prepared, post_init, post_save, pre_delete, pre_save

from dd_pa.model_events import Declaration
from dd_pa_django.model_events import relations, snapshot
from dd_pa_django.model_events.watch import ModelWatch, watches

_declared: defaultdict[type[Model], list[Declaration]] = defaultdict(list)
_UID = "dd_pa_django.model_events"


def declare(model: type[Model], declaration: Declaration) -> None:
    """Add events to a class and to its subclasses, those to come too. Raises `ValueError`, and then adds nothing."""
    _declared[model].append(declaration)
    try:
        found = [_watch(heir) for heir in _heirs(model)]
    except ValueError:
        _declared[model].remove(declaration)
        raise
    for watch in found:
        _follow(watch)


def _heirs(model: type[Model]) -> Iterator[type[Model]]:
    if not model._meta.abstract:
        yield model
    for subclass in model.__subclasses__():
        yield from _heirs(subclass)


def _on_class_prepared(sender: type[Model], **kwargs: Any) -> None:
    if not _declared.keys().isdisjoint(sender.__mro__):
        _follow(_watch(sender))


def _watch(model: type[Model]) -> ModelWatch:
    holders = [base for base in model.__mro__ if base in _declared]
    parents = (model._meta.concrete_model or model)._meta.get_parent_list()
    deleted_by_a_parent = [base for base in holders if any(issubclass(parent, base) for parent in parents)]
    return ModelWatch(
        model,
        declarations=[item for base in holders for item in _labelled(model, base)],
        deletions=[item for base in holders if base not in deleted_by_a_parent for item in _labelled(model, base)],
    )


def _labelled(model: type[Model], holder: type[Model]) -> Iterator[Declaration]:
    """Yield the declarations of a class as its heir has them: columns stand under one name, whoever wrote the row.

    That of an abstract class names the first table of each line.
    """
    tables = [base for base in model.__mro__ if issubclass(base, holder) and not base._meta.abstract]
    label = str((holder if not holder._meta.abstract else tables[-1])._meta.model_name)
    for item in _declared[holder]:
        yield item if item.label else replace(item, label=label)


def _follow(watch: ModelWatch) -> None:
    """Listen to what has an event only: a receiver alone makes Django fetch rows before it deletes them."""
    model = watch.model
    watches[model] = watch
    if watch.fields:
        post_init.connect(_on_load, sender=model, dispatch_uid=_UID)
        pre_save.connect(_before_save, sender=model, dispatch_uid=_UID)
        _wrap_refresh(model)
    if watch.fields or watch.creations or watch.relations:
        post_save.connect(_after_save, sender=model, dispatch_uid=_UID)
    if watch.deletions:
        pre_delete.connect(_before_delete, sender=model, dispatch_uid=_UID)
    for field in watch.relations:
        relations.listen(model, field, _UID)


def _on_load(sender: type[Model], instance: Model, **kwargs: Any) -> None:
    watches[sender].on_load(instance)


def _before_save(
    sender: type[Model],
    instance: Model,
    raw: bool,
    using: str,
    update_fields: Collection[str] | None,
    **kwargs: Any,
) -> None:
    if raw:
        return
    if instance._state.adding:
        snapshot.forget(instance)  # what it was made with says nothing about a row that it may overwrite
    else:
        watches[sender].before_update([instance], update_fields, using)


def _after_save(
    sender: type[Model],
    instance: Model,
    created: bool,
    raw: bool,
    using: str,
    update_fields: Collection[str] | None,
    **kwargs: Any,
) -> None:
    if watches[sender].relations:
        relations.mark_raw(instance, raw)
    if raw:
        return
    if created:
        watches[sender].after_create(instance, using)
    else:
        watches[sender].after_update([instance], update_fields, using)


def _before_delete(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    watches[sender].before_delete(instance, using)


def _wrap_refresh(model: type[Model]) -> None:
    """Notice `refresh_from_db()`, for which Django has no signal; deferred fields are loaded by it too."""
    refresh = model.refresh_from_db
    if hasattr(refresh, "dd_pa_notices"):
        return

    @wraps(refresh)
    def refresh_from_db(self: Model, *args: Any, **kwargs: Any) -> None:
        given = kwargs.get("fields", args[1] if len(args) > 1 else None)
        names = None if given is None else list(given)  # it may be a generator, which is read once
        if "fields" in kwargs:
            kwargs["fields"] = names
        elif len(args) > 1:
            args = (args[0], names, *args[2:])
        refresh(self, *args, **kwargs)
        watch = watches.get(type(self))
        if watch is not None and watch.fields:
            watch.on_refresh(self, names)

    refresh_from_db.dd_pa_notices = True  # type: ignore[attr-defined]  # a function's own attribute
    model.refresh_from_db = refresh_from_db  # type: ignore[method-assign]


class_prepared.connect(_on_class_prepared, dispatch_uid=_UID)
