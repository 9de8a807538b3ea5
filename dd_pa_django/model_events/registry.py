"""Which models have events, and the signals that tell of their rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from django.db.models import Model
from django.db.models.signals import ModelSignal, class_prepared, post_delete, post_save, pre_delete, pre_save

from dd_pa.model_events import Declaration
from dd_pa_django.database_connection import connection_of
from dd_pa_django.model_events import cascades, load_watch, relations
from dd_pa_django.model_events.row_memory import forget, is_doubtful, known
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


def declarations() -> Iterator[tuple[type[Model], Declaration]]:
    """Yield what was declared, with the class that it was declared on."""
    for model, given in _declared.items():
        yield from ((model, item) for item in given)


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
    if watch.remembered:
        load_watch.notice(model)
        _listen(pre_save, _before_save, model)
    if watch.remembered or watch.creations or watch.relations:
        _listen(post_save, _after_save, model)
    if watch.deletions or watch.relations:
        _listen(pre_delete, _before_delete, model)
        _listen(post_delete, _after_delete, model)
    for field in watch.relations:
        relations.listen(model, field, _UID)
    for field in (*watch.fields, *watch.relations):
        cascades.listen(model, field)


def _listen(signal: ModelSignal, receiver: Any, sender: type[Model]) -> None:
    """Connect before all others: one of them may write the row again, and has to be heard after this one."""
    signal.connect(receiver, sender=sender, dispatch_uid=_UID)
    with signal.lock:
        key = (_UID, id(sender))
        signal.receivers.sort(key=lambda item: item[0] != key)
        signal.sender_receivers_cache.clear()


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
    watch = watches[sender]
    is_new = instance._state.adding and not is_doubtful(instance)
    if is_new and not known(instance, watch.root, connection_of(using)):
        forget(instance)  # what it was made with says nothing about a row that it may overwrite
    else:
        watch.before_save(instance, update_fields, using)


def _after_save(
    sender: type[Model],
    instance: Model,
    created: bool,
    raw: bool,
    using: str,
    update_fields: Collection[str] | None,
    **kwargs: Any,
) -> None:
    watch = watches[sender]
    if watch.relations:
        relations.mark_raw(instance, raw)
    if raw:
        watch.after_raw(instance, using)
    elif created:
        watch.after_create(instance, using)
    else:
        watch.after_save(instance, update_fields, using)


def _before_delete(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    watches[sender].before_delete(instance, using)


def _after_delete(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    watches[sender].after_delete(instance, using)


class_prepared.connect(_on_class_prepared, dispatch_uid=_UID)
