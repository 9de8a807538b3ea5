from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar, Unpack, overload
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import inspect
from sqlalchemy.orm import Mapper, Session, object_mapper, object_session

from dd_pa.capture.batch import Build
from dd_pa.capture.event import BuiltEvent
from dd_pa.capture.identity_block import identify
from dd_pa.emitter import Emitter
from dd_pa.model_events import Answers, Change, Declaration, ModelOptions, ask
from dd_pa.sqlalchemy.changes import Members, column_changes, expressions, member_changes, members_left, split
from dd_pa.sqlalchemy.mapping import check_kinds, check_names, other_sides, written_aside
from dd_pa.sqlalchemy.pending_events import follow_flushes, pending_in, submit_on_commit
from dd_pa.sqlalchemy.row_switch import is_switched, note_row_switch
from dd_pa.sqlalchemy.stored_values import ReadColumns, columns_before, columns_now, columns_set


def answers_of(
    emitter: Emitter,
    declaration: Declaration,
    name: str,
    instance: Any,
    label: str,
    change: Change | None,
    columns: ReadColumns,
) -> Answers | None:
    """Ask the callables. Returns None if there is to be no event. If one fails, raises in strict mode, else counts."""
    try:
        return ask(declaration, name, instance, change=change, label=label, columns=partial(columns, instance))
    except Exception as error:
        emitter.integration.drop_invalid(name, error)
        return None


def build(emitter: Emitter, builder: Build, answers: Answers) -> BuiltEvent | None:
    """Return the event with the identity of this moment, or None if it is dropped. Raises in strict mode."""
    ids = {} if answers.ids is None else dict(answers.ids)
    consent = ids.pop("consent", None)
    if consent is None:
        return builder(answers.event, answers.attributes, **ids)
    with identify(consent=bool(consent)):
        return emitter.integration.build(answers.event, answers.attributes, owner=True, **ids)


ModelT = TypeVar("ModelT", bound=type)


class ModelEvents:
    """Declares the events of mapped classes, for sessions of any kind. Starts nothing.

    `emitter` is the one to use, or a callable that finds it when a row changes; None means that nothing is tracked.
    """

    def __init__(self, emitter: Emitter | Callable[[], Emitter | None]) -> None:
        self._find_emitter = emitter if callable(emitter) else lambda: emitter
        self._declared: WeakKeyDictionary[type, list[Declaration]] = WeakKeyDictionary()

    def declared(self) -> Iterator[tuple[type, Declaration]]:
        """Yield each class with what was declared on it."""
        for model, declarations in self._declared.items():
            yield from ((model, declaration) for declaration in declarations)

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
        `{"changed": {"status": {"old": …, "new": …}}}`; attributes with the same event share one. A mapping in place of
        the name tells transitions apart: `{"status": {"paid": "order.paid"}}`. `attributes` is a mapping, a list of
        column names (sent as `{"order": {"total": …}}` under the name of this class, or `label`), or a callable.
        `when`, a callable, can say no. `identity`, another one, returns whose event it is as
        `{"usr": …, "account": …}`, which wins over `identify()` and the request. The callables take the instance, and
        the event's name and the change if they ask for these too.

        The event is built at the end of the flush that writes the row, without a query of its own, and leaves when the
        session commits. Statements that the session does not make from objects, such as `update(Order)`, are not seen.
        Errors of the callables are raised in strict mode, by the flush; otherwise the event is dropped and counted.
        Raises `ValueError` for an attribute that the model does not have, or that cannot be followed.
        """
        declaration = Declaration(**options)

        def declare(model: ModelT) -> ModelT:
            if not isinstance(model, type):
                raise TypeError("track_model is for mapped classes: @track_model(created='order.placed')")
            _Follower(self._find_emitter, declaration, model).follow()
            self._declared.setdefault(model, []).append(declaration)
            return model

        return declare if model is None else declare(model)


_followers: WeakSet[_Follower] = WeakSet()


class _Follower:
    """Hears of each row of one declaration, and has its events built when the flush is over."""

    def __init__(self, find_emitter: Callable[[], Emitter | None], declaration: Declaration, model: type) -> None:
        self._find_emitter = find_emitter
        self._declaration = declaration
        self._model = model
        self._mappers: WeakSet[Mapper[Any]] = WeakSet()
        self._sides: set[tuple[str, type, str]] = set()
        self._aside: WeakKeyDictionary[Mapper[Any], list[str]] = WeakKeyDictionary()
        self._parts: WeakKeyDictionary[Mapper[Any], tuple[list[str], list[str]]] = WeakKeyDictionary()
        self._names_table: bool | None = None

    def follow(self) -> None:
        """Listen, for subclasses too."""
        mapper: Any = inspect(self._model, raiseerr=False)
        if isinstance(mapper, Mapper):
            check = check_kinds if mapper.configured else check_names
            check(self._declaration, mapper, self._label(mapper.class_))
            if mapper.configured:
                self._mappers.update(mapper.self_and_descendants)
                self.listen_to_other_sides()
        _followers.add(self)
        listen = partial(sqlalchemy_event.listen, self._model, propagate=True)
        listen("mapper_configured", self._configured)
        listen("before_insert", self._note_replaced)
        if self._declaration.created:
            listen("after_insert", self._created)
            listen("after_update", self._created_in_place)
        if self._declaration.followed:
            listen("before_update", self._note_expressions)
            listen("after_update", self._updated)
            follow_flushes(self._model, self._written_aside)
        if self._declaration.deleted:
            listen("before_delete", self._deleted)

    def _label(self, written: type) -> str:
        """Return the name of the columns: that of the class which was declared, unless that is no table's."""
        if self._declaration.label is not None:
            return self._declaration.label
        if self._names_table is None and self._mappers:  # once there are any, it is what it is
            self._names_table = self._is_mapped
        is_mapped = self._is_mapped if self._names_table is None else self._names_table
        return (self._model if is_mapped else written).__name__.lower()

    @property
    def _is_mapped(self) -> bool:
        return isinstance(inspect(self._model, raiseerr=False), Mapper)

    def _configured(self, mapper: Mapper[Any], model: type) -> None:
        check_kinds(self._declaration, mapper, self._label(model))
        self._mappers.add(mapper)

    def listen_to_other_sides(self) -> None:
        """Hear of objects that leave a followed relationship because they are deleted. All mappers are configured."""
        for mapper in self._mappers:
            for side in other_sides(mapper, self._declaration.followed):
                if side not in self._sides:
                    self._sides.add(side)
                    name, other, name_there = side
                    gone = partial(self._other_gone, name, name_there)
                    sqlalchemy_event.listen(other, "before_delete", gone, propagate=True)

    def _emitter(self) -> Emitter | None:
        emitter = self._find_emitter()
        return emitter if emitter is not None and emitter.settings.enabled else None

    def _created(self, mapper: Mapper[Any], connection: Any, instance: Any) -> None:
        emitter, name = self._emitter(), self._declaration.created
        if emitter is not None and name is not None:
            self._expect(object_session(instance), emitter, name, instance)

    def _note_replaced(self, mapper: Mapper[Any], connection: Any, instance: Any) -> None:
        former = note_row_switch(mapper, instance)
        if self._declaration.deleted and isinstance(former, self._model):
            self._deleted(mapper, connection, former)

    def _created_in_place(self, mapper: Mapper[Any], connection: Any, instance: Any) -> None:
        emitter, session, name = self._emitter(), object_session(instance), self._declaration.created
        if emitter is not None and session is not None and is_switched(session, instance):
            self._expect(session, emitter, name, instance, columns=columns_set)

    def _note_expressions(self, mapper: Mapper[Any], connection: Any, instance: Any) -> None:
        found, session = expressions(instance, self._declaration.followed), object_session(instance)
        if found and session is not None:
            pending_in(session).expressions.setdefault(id(instance), {}).update(found)

    def _updated(self, mapper: Mapper[Any], connection: Any, instance: Any) -> None:
        emitter, session = self._emitter(), object_session(instance)
        if emitter is None or session is None or is_switched(session, instance):
            return
        parts = self._parts.get(mapper)
        if parts is None:
            parts = self._parts[mapper] = split(mapper, self._declaration.followed)
        columns, relationships = parts
        noted = pending_in(session).expressions.get(id(instance), {})
        change = column_changes(mapper, instance, columns, noted)
        self._expect_changes(session, emitter, instance, change)
        for members in member_changes(mapper, instance, relationships):
            self._expect_members(session, emitter, instance, members)

    def _written_aside(self, session: Session, instance: Any) -> None:
        """Hear of the end of a flush, in which a relationship may have written columns of a row that was there."""
        mapper = object_mapper(instance)
        columns = self._aside.get(mapper)
        if columns is None:
            columns = self._aside[mapper] = written_aside(mapper, self._declaration.followed)
        emitter = self._emitter() if columns else None
        if emitter is not None:
            told = pending_in(session).told.get(id(instance), ())
            unheard = [name for name in columns if name not in told]
            self._expect_changes(session, emitter, instance, column_changes(mapper, instance, unheard, {}))

    def _other_gone(self, name: str, name_there: str, mapper: Mapper[Any], connection: Any, other: Any) -> None:
        """Hear that an object is deleted: it leaves the relationships of those that stay."""
        emitter, session = self._emitter(), object_session(other)
        if emitter is None or session is None:
            return
        for instance in members_left(other, name_there):
            if isinstance(instance, self._model) and instance not in session.deleted:
                members = Members(name=name, action="removed", others=[other])
                self._expect_members(object_session(instance), emitter, instance, members)

    def _deleted(self, mapper: Mapper[Any], connection: Any, instance: Any) -> None:
        """Ask the callables while the row is still there; if it cannot be deleted, the flush fails as a whole."""
        emitter, name, session = self._emitter(), self._declaration.deleted, object_session(instance)
        if emitter is None or name is None or session is None:
            return
        label = self._label(type(instance))
        answers = answers_of(emitter, self._declaration, name, instance, label, None, columns_before)
        if answers is not None:
            pending_in(session).after_flush.append(partial(_submit, session, emitter, answers))

    def _expect_changes(self, session: Session, emitter: Emitter, instance: Any, change: Change) -> None:
        if not change:
            return
        pending_in(session).told.setdefault(id(instance), set()).update(change)
        for event, part in self._declaration.events_of(change).items():
            self._expect(session, emitter, event, instance, partial(dict, part))

    def _expect_members(self, session: Session | None, emitter: Emitter, instance: Any, members: Members) -> None:
        for event in self._declaration.events_of({members.name: {"action": members.action}}):
            self._expect(session, emitter, event, instance, members.change)

    def _expect(
        self,
        session: Session | None,
        emitter: Emitter,
        name: str,
        instance: Any,
        change: Callable[[], Change | None] = lambda: None,
        columns: ReadColumns = columns_now,
    ) -> None:
        """Have an event built when the flush is over: only then the callables may use the session as they like."""
        if session is not None:
            fire = partial(self._fire, session, emitter, name, instance, change, columns)
            pending_in(session).after_flush.append(fire)

    def _fire(
        self,
        session: Session,
        emitter: Emitter,
        name: str,
        instance: Any,
        change: Callable[[], Change | None],
        columns: ReadColumns,
    ) -> None:
        label = self._label(type(instance))
        answers = answers_of(emitter, self._declaration, name, instance, label, change(), columns)
        if answers is not None:
            _submit(session, emitter, answers)


@sqlalchemy_event.listens_for(Mapper, "after_configured")
def _after_configured() -> None:
    for follower in list(_followers):
        follower.listen_to_other_sides()


def _submit(session: Session, emitter: Emitter, answers: Answers) -> None:
    together = pending_in(session).together
    event = build(
        emitter, emitter.integration.batch().build if together is None else together.builder(emitter), answers
    )
    if event is not None:
        submit_on_commit(session, emitter, event)
