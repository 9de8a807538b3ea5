"""What an application says about the events of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, Unpack, overload

from django.db.models import Model

from dd_pa.model_events import Declaration, ModelOptions
from dd_pa_django.model_events import registry

ModelT = TypeVar("ModelT", bound=Model)


@overload
def track_model(model: type[ModelT], /, **options: Unpack[ModelOptions]) -> type[ModelT]: ...
@overload
def track_model(model: None = None, /, **options: Unpack[ModelOptions]) -> Callable[[type[ModelT]], type[ModelT]]: ...
def track_model(
    model: type[ModelT] | None = None, /, **options: Unpack[ModelOptions]
) -> type[ModelT] | Callable[[type[ModelT]], type[ModelT]]:
    """Track an event when a row of a model is created, when named fields of it change, and when it is deleted.

    On the class as `@track_model(created="order.placed")`, or for a model of somebody else in an `AppConfig.ready()`
    as `track_model(Order, created=…)`. Subclasses and proxies are covered too, those of an abstract class as well.

    `updated` names fields and the event of their change: `{"status": "order.status_changed"}`, or one for each new
    value: `{"status": {"paid": "order.paid"}}`. It carries `{"changed": {"status": {"old": …, "new": …}}}`; fields with
    the same event share one. `attributes` is a mapping, a list of field names (sent under the model's name, or under
    `label`: `{"order": {"total": …}}`), or a callable of the instance. `when`, a callable of the instance, can say no.
    `identity`, another one, returns whose event it is as `{"usr": …, "account": …}`, which wins over `identify()` and
    the request. Callables may take the event's name and the change, too: `lambda order, name, change: …`.

    The event is built when the row is written, and leaves when that database commits. Errors of the callables are
    raised in strict mode; otherwise the event is dropped and counted, and the row is written all the same. Raises
    `ValueError` for a field that the model does not have.
    """
    declaration = Declaration(**options)

    def declare(model: type[ModelT]) -> type[ModelT]:
        given: Any = model
        if not (isinstance(given, type) and issubclass(given, Model)):
            raise TypeError("track_model is for model classes: @track_model(created='order.placed')")
        registry.declare(model, declaration)
        return model

    return declare if model is None else declare(model)
