from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from typing import Any, TypeVar

from django.db import connections, transaction
from django.db.models import Model, QuerySet

from dd_pa_django.model_events import stored_values
from dd_pa_django.model_events.event_firing import active_emitter
from dd_pa_django.model_events.row_key import row_key
from dd_pa_django.model_events.row_memory import forget
from dd_pa_django.model_events.row_update import RowUpdate
from dd_pa_django.model_events.watch import ModelWatch, watches

ModelT = TypeVar("ModelT", bound=Model)


class TrackedQuerySet(QuerySet[ModelT]):
    """A queryset whose `update`, `bulk_update` and `bulk_create` fire the events of `track_model` too.

    Use it as `objects = TrackedQuerySet.as_manager()`, or as the base of your own. `update()` that touches a field
    with an event first reads the rows that it will change: one more query, and all of them in memory. Where the
    database can, they are locked until the update is done, so that the old values are those that were replaced.
    `bulk_create` with `ignore_conflicts` or `update_conflicts` fires nothing: the database does not say which rows are
    new. The `a…` twins do the same.
    """

    _reports_update = True

    def _clone(self) -> TrackedQuerySet[ModelT]:
        clone: TrackedQuerySet[ModelT] = super()._clone()  # type: ignore[misc]  # not in the stubs
        clone._reports_update = self._reports_update
        return clone

    def bulk_create(
        self,
        objs: Iterable[ModelT],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> list[ModelT]:
        self._for_write = True
        watch, given = watches.get(self.model), list(objs)
        with transaction.atomic(using=self.db, savepoint=False) if watch is not None else nullcontext():
            keyed = [item for item in given if item.pk is not None]
            made = super().bulk_create(
                given, batch_size, ignore_conflicts, update_conflicts, update_fields, unique_fields
            )
            if watch is not None and not ignore_conflicts and not update_conflicts:
                watch.after_bulk_create(made, keyed, self.db)
            elif watch is not None and update_conflicts:
                watch.after_untold(update_fields, [], self.db)
        return made

    def bulk_update(self, objs: Iterable[ModelT], fields: Iterable[str], batch_size: int | None = None) -> int:
        self._for_write = True
        names, instances, using = list(fields), list(objs), self.db
        watch = self._watch_of_update(names)
        if watch is None:
            count = super().bulk_update(instances, names, batch_size)
            self._note_untold(names, [row_key(item) for item in instances])
            return count
        silent: TrackedQuerySet[ModelT] = self._chain()  # type: ignore[attr-defined]  # not in the stubs
        silent._reports_update = False
        for item in instances:
            if item._state.adding:
                forget(item)
        count = 0
        with transaction.atomic(using=using, savepoint=False):
            for some in _batches(instances, names, batch_size, using):
                watch.before_update(some, names, using)
                found = super(TrackedQuerySet, silent).bulk_update(some, names, batch_size)
                watch.after_update(some if found == len(some) else _written(some, names, using), names, using)
                count += found
        return count

    def update(self, **kwargs: Any) -> int:
        watch = self._watch_of_update(kwargs)
        if watch is None or not self._reports_update or self.query.is_sliced or self.query.combinator:
            count = super().update(**kwargs)
            if count and self._reports_update:
                self._note_untold(kwargs, [])
            return count
        self._for_write = True
        updating = RowUpdate(watch, kwargs, self.db)
        with _rows_held(self.db):
            updating.read(self._rows_to_update(self.db))
            count = super().update(**kwargs)
            updating.fire(count)
        return count

    def _watch_of_update(self, names: Collection[str]) -> ModelWatch | None:
        """Return what is followed of the model, or None if no event can come of a change of these fields."""
        watch = watches.get(self.model)
        return watch if watch is not None and watch.follows(names) and active_emitter() is not None else None

    def _note_untold(self, names: Collection[str], pks: Sequence[Any]) -> None:
        watch = watches.get(self.model)
        if watch is not None:
            watch.after_untold(names, pks, self.db)

    def _rows_to_update(self, using: str) -> QuerySet[ModelT]:
        """Return the rows by themselves, to be locked in the order of their keys, as every other update does it."""
        rows: QuerySet[ModelT]
        if self._selects_plain_rows():
            rows = self._chain()  # type: ignore[attr-defined]  # not in the stubs
            rows.query.standard_ordering = True
            rows = rows.select_related(None).prefetch_related(None).defer(None).using(using)
        else:
            keys = self.order_by().using(using).values("pk")
            rows = self.model._base_manager.using(using).filter(pk__in=keys)
        rows = rows.order_by("pk")
        return rows.select_for_update() if connections[using].features.has_select_for_update else rows

    def _selects_plain_rows(self) -> bool:
        """Tell whether rows are found by their own columns: others cannot be locked, or would be locked with them."""
        query = self.query
        tables = sum(1 for alias in query.alias_map if query.alias_refcount[alias])
        computed = query.distinct or query.group_by or query.annotations or query.extra
        return tables <= 1 and not computed and self._fields is None  # type: ignore[attr-defined]  # not in the stubs


def _batches(
    instances: Sequence[ModelT], names: Sequence[str], size: int | None, using: str
) -> Iterator[Sequence[ModelT]]:
    """Yield all at once; if several are of one row, as Django writes them: the first of a statement is what counts."""
    if len({row_key(item) for item in instances}) == len(instances):
        yield instances
        return
    most = connections[using].ops.bulk_batch_size(["pk", "pk", *names], list(instances))
    step = min(size, most) if size else most
    yield from (instances[start : start + step] for start in range(0, len(instances), step))


def _written(instances: Sequence[ModelT], names: Sequence[str], using: str) -> list[ModelT]:
    """Return those whose row is there, of several of one row one, with what the row has come to."""
    model = type(instances[0])
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    there = stored_values.read(model, [row_key(item) for item in instances], fields, using)
    found: dict[Any, ModelT] = {}
    for item in instances:
        key = row_key(item)
        if key in found:
            found[key] = copy(item)
            for name, value in there[key].items():
                setattr(found[key], name, value)
        elif key in there:
            found[key] = item
    return list(found.values())


def _rows_held(using: str) -> AbstractContextManager[Any]:
    """Hold locked rows until they are updated. Where nothing is locked, a transaction that reads first could fail."""
    if connections[using].features.has_select_for_update:
        return transaction.atomic(using=using, savepoint=False)
    return nullcontext()
