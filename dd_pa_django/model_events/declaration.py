"""What an application says about the events of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from django.db.models import Model

from dd_pa import Id, Identity
from dd_pa_django.model_events import registry

ModelT = TypeVar("ModelT", bound=Model)
Attributes = Mapping[str, Any] | Sequence[str] | Callable[[Any], Mapping[str, Any] | None] | None
Condition = Callable[[Any], bool] | None
Ids = Identity | Mapping[str, Id | None] | None
Owner = Callable[[Any], Ids] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Declaration:
    """One call of `track_model`. What can be checked without the model's fields is checked here."""

    created: str | None
    updated: Mapping[str, str]
    deleted: str | None
    attributes: Attributes
    when: Condition
    identity: Owner

    def __post_init__(self) -> None:
        names: list[Any] = [self.created, self.deleted, *self.updated.values()]
        if not any(names):
            raise TypeError("track_model needs the name of an event: created=, updated= or deleted=")
        if not all(name is None or (isinstance(name, str) and name) for name in names):
            raise TypeError("the names of a model's events are texts: track_model(created='order.placed')")
        if isinstance(self.attributes, str):
            raise TypeError(f"attributes={self.attributes!r} is one text: give a list of field names")


@overload
def track_model(
    model: type[ModelT],
    /,
    *,
    created: str | None = None,
    updated: Mapping[str, str] | None = None,
    deleted: str | None = None,
    attributes: Attributes = None,
    when: Condition = None,
    identity: Owner = None,
) -> type[ModelT]: ...
@overload
def track_model(
    model: None = None,
    /,
    *,
    created: str | None = None,
    updated: Mapping[str, str] | None = None,
    deleted: str | None = None,
    attributes: Attributes = None,
    when: Condition = None,
    identity: Owner = None,
) -> Callable[[type[ModelT]], type[ModelT]]: ...
def track_model(
    model: type[ModelT] | None = None,
    /,
    *,
    created: str | None = None,
    updated: Mapping[str, str] | None = None,
    deleted: str | None = None,
    attributes: Attributes = None,
    when: Condition = None,
    identity: Owner = None,
) -> type[ModelT] | Callable[[type[ModelT]], type[ModelT]]:
    """Track an event when a row of a model is created, when named fields of it change, and when it is deleted.

    On the class as `@track_model(created="order.placed")`, or for a model of somebody else in an `AppConfig.ready()`
    as `track_model(Order, created=…)`. Subclasses and proxies are covered too, those of an abstract class as well.

    `updated` names fields and the event of their change: `{"status": "order.status_changed"}`. It carries
    `{"changed": {"status": {"old": …, "new": …}}}`; fields with the same event share one. `attributes` is a mapping, a
    list of field names (sent under the model's name: `{"order": {"total": …}}`), or a callable of the instance.
    `when`, a callable of the instance, can say no. `identity`, another one, returns whose event it is as
    `{"usr": …, "account": …}`, which wins over `identify()` and the request.

    The event is built when the row is written, and leaves when that database commits. Errors of the callables are
    raised in strict mode; otherwise the event is dropped and counted, and the row is written all the same. Raises
    `ValueError` for a field that the model does not have.
    """
    declaration = Declaration(
        created=created,
        updated=dict(updated or {}),
        deleted=deleted,
        attributes=attributes,
        when=when,
        identity=identity,
    )

    def declare(model: type[ModelT]) -> type[ModelT]:
        given: Any = model
        if not (isinstance(given, type) and issubclass(given, Model)):
            raise TypeError("track_model is for model classes: @track_model(created='order.placed')")
        registry.declare(model, declaration)
        return model

    return declare if model is None else declare(model)
