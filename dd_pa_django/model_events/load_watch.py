"""Notices what instances read of their rows, for which Django has no signal."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db.models import Model

from dd_pa_django.model_events.watch import watches


def notice(model: type[Model]) -> None:
    """Wrap the two methods of a model that take values from the database, unless a parent's are wrapped already."""
    loads, refreshes = model.from_db.__func__, model.refresh_from_db  # type: ignore[attr-defined]  # a class method
    if not hasattr(loads, "dd_pa_notices"):
        model.from_db = classmethod(_noticing_load(loads))  # type: ignore[assignment]  # as Django's own
    if not hasattr(refreshes, "dd_pa_notices"):
        model.refresh_from_db = _noticing_refresh(refreshes)  # type: ignore[method-assign]


def _noticing_load(load: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(load)
    def from_db(cls: type[Model], *args: Any, **kwargs: Any) -> Model:
        instance: Model = load(cls, *args, **kwargs)
        watch = watches.get(type(instance))
        if watch is not None and watch.remembered:
            watch.on_load(instance)
        return instance

    from_db.dd_pa_notices = True  # type: ignore[attr-defined]  # a function's own attribute
    return from_db


def _noticing_refresh(refresh: Callable[..., Any]) -> Callable[..., Any]:
    """Deferred fields are loaded by it too."""

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
        if watch is not None and watch.remembered:
            watch.on_refresh(self, names)

    refresh_from_db.dd_pa_notices = True  # type: ignore[attr-defined]  # a function's own attribute
    return refresh_from_db
