from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, Unpack, overload

from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import inspect
from sqlalchemy.orm import Mapper, Session, object_session

from dd_pa.emitter import Emitter
from dd_pa.sqlalchemy.changes import Changed, changes, expressions
from dd_pa.sqlalchemy.declaration import Declaration, ModelOptions
from dd_pa.sqlalchemy.firing import Prepared, prepare
from dd_pa.sqlalchemy.waiting import submit_on_commit, waiting_in

ModelT = TypeVar("ModelT", bound=type)


class ModelEvents:
    """Declares the events of mapped classes, for sessions of any kind. Starts nothing.

    `emitter` is the one to use, or a callable that finds it when a row changes; None means that nothing is tracked.
    """

    def __init__(self, emitter: Emitter | Callable[[], Emitter | None]) -> None:
        self._find_emitter = emitter if callable(emitter) else lambda: emitter

    @overload
    def track_model(self, model: ModelT, /, **options: Unpack[ModelOptions]) -> ModelT: ...
    @overload
    def track_model(self, model: None = None, /, **options: Unpack[ModelOptions]) -> Callable[[ModelT], ModelT]: ...
    def track_model(
        self, model: ModelT | None = None, /, **options: Unpack[ModelOptions]
    ) -> ModelT | Callable[[ModelT], ModelT]:
        """Track an event when a row of a model is created, when named attributes of it change, and when it is deleted.

        On the class as `@events.track_model(created="order.placed")`, or for a class of somebody else as
        `events.track_model(Order, created=…)`. Subclasses are covered too, those of a mixin or an abstract class as
        well.

        `updated` names attributes and the event of their change: `{"status": "order.status_changed"}`. It carries
        `{"changed": {"status": {"old": …, "new": …}}}`; attributes with the same event share one. `attributes` is a
        mapping, a list of column names (sent under the class's name: `{"order": {"total": …}}`), or a callable of the
        instance. `when`, a callable of the instance, can say no. `identity`, another one, returns whose event it is as
        `{"usr": …, "account": …}`, which wins over `identify()` and the request.

        The event is built at the end of the flush that writes the row, without a query of its own, and leaves when the
        session commits. Statements that the session does not make from objects, such as `update(Order)`, are not seen.
        Errors of the callables are raised in strict mode, by the flush; otherwise the event is dropped and counted.
        Raises `ValueError` for an attribute that the model does not have, or that cannot be followed.
        """
        declaration = Declaration(**options)

        def declare(model: ModelT) -> ModelT:
            if not isinstance(model, type):
                raise TypeError("track_model is for mapped classes: @track_model(created='order.placed')")
            _Follower(self._find_emitter, declaration).follow(model)
            return model

        return declare if model is None else declare(model)


class _Follower:
    """Hears of each row of one declaration, and has its events built when the flush is over."""

    def __init__(self, find_emitter: Callable[[], Emitter | None], declaration: Declaration) -> None:
        self._find_emitter = find_emitter
        self._declaration = declaration
        self._by_event = declaration.by_event

    def follow(self, model: type) -> None:
        mapper: Any = inspect(model, raiseerr=False)
        if isinstance(mapper, Mapper):
            check = self._declaration.check_kinds if mapper.configured else self._declaration.check_names
            check(mapper)
        listen = partial(sqlalchemy_event.listen, model, propagate=True)
        listen("mapper_configured", self._check)
        if self._declaration.created:
            listen("after_insert", self._created)
        if self._by_event:
            listen("before_update", self._note_expressions)
            listen("after_update", self._updated)
        if self._declaration.deleted:
            listen("before_delete", self._deleted)

    def _check(self, mapper: Mapper[Any], model: type) -> None:
        self._declaration.check_kinds(mapper)

    def _emitter(self) -> Emitter | None:
        emitter = self._find_emitter()
        return emitter if emitter is not None and emitter.settings.enabled else None

    def _created(self, mapper: Mapper[Any], connection: Any, instance: Any) -> None:
        emitter, name = self._emitter(), self._declaration.created
        if emitter is not None and name is not None:
            self._expect(emitter, name, instance)

    def _note_expressions(self, mapper: Mapper[Any], connection: Any, instance: Any) -> None:
        found, session = expressions(instance, self._declaration.updated or ()), object_session(instance)
        if found and session is not None:
            waiting_in(session).expressions.setdefault(id(instance), {}).update(found)

    def _updated(self, mapper: Mapper[Any], connection: Any, instance: Any) -> None:
        emitter, session = self._emitter(), object_session(instance)
        if emitter is None or session is None:
            return
        noted = waiting_in(session).expressions.get(id(instance), {})
        for name, attributes in self._by_event.items():
            for changed in changes(mapper, instance, attributes, noted):
                self._expect(emitter, name, instance, changed)

    def _deleted(self, mapper: Mapper[Any], connection: Any, instance: Any) -> None:
        """Ask the callables while the row is still there; if it cannot be deleted, the flush fails as a whole."""
        emitter, name, session = self._emitter(), self._declaration.deleted, object_session(instance)
        if emitter is None or name is None or session is None:
            return
        prepared = prepare(emitter, self._declaration, name, instance)
        if prepared is not None:
            waiting_in(session).after_flush.append(partial(_build, session, emitter, prepared))

    def _expect(self, emitter: Emitter, name: str, instance: Any, changed: Changed | None = None) -> None:
        """Have an event built when the flush is over: only then the callables may use the session as they like."""
        session = object_session(instance)
        if session is not None:
            waiting_in(session).after_flush.append(partial(self._fire, session, emitter, name, instance, changed))

    def _fire(self, session: Session, emitter: Emitter, name: str, instance: Any, changed: Changed | None) -> None:
        prepared = prepare(emitter, self._declaration, name, instance)
        if prepared is not None:
            _build(session, emitter, prepared, changed)


def _build(session: Session, emitter: Emitter, prepared: Prepared, changed: Changed | None = None) -> None:
    event = prepared.build(emitter, None if changed is None else changed())
    if event is not None:
        submit_on_commit(session, emitter, event)
