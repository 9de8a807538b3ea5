"""What is known of the rows of instances: the values of followed fields when they were last read or written.

It is kept in the instance's `_state`. Copies of the instance have it too; what is pickled does not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import deepcopy
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model
from django.db.models.base import ModelState

from dd_pa_django.model_events.row_key import row_key
from dd_pa_django.transaction_block import Savepoints, Scope, next_number, scope_of

MAX_ROWS = 4096
"""Most rows of which a connection remembers that they were written."""

MANY_ROWS = 1024
"""From this many rows on, those of one statement are not remembered one by one, but as any of their table."""

_KNOWN = "dd_pa_known"
_ROWS = "dd_pa_rows"
_TABLES = "dd_pa_tables"
_NOTHING: Mapping[str, Any] = {}


class Moment:
    """When something was read or written, and inside of what transaction."""

    __slots__ = ("deletes", "is_done", "number", "savepoints", "scope", "state")

    def __init__(self, connection: BaseDatabaseWrapper, *, deletes: bool = False) -> None:
        self.number = next_number()
        self.deletes = deletes
        self.is_done = not deletes
        self.scope: Scope | None = None
        self.savepoints: Savepoints = ()
        self.state = connection.savepoint_state
        if connection.in_atomic_block:
            self.scope = scope_of(connection)
            self.savepoints = tuple(connection.savepoint_ids)

    def stands(self) -> bool:
        """Tell whether it has really been: its transaction was not rolled back."""
        return self.scope is None or self.scope.stands(self.savepoints, self.state, self.number)


class Known(Moment):
    """The values of one row at one moment. Never changed: copies of an instance share it."""

    __slots__ = ("pk", "using", "values")

    def __init__(self, pk: Any, connection: BaseDatabaseWrapper, values: Mapping[str, Any]) -> None:
        self.pk = pk
        self.using = connection.alias
        self.values = values
        self.number = (
            next_number()
        )  # the rest as of any moment; once for each row that is loaded, so no call of `super()`
        if connection.in_atomic_block:
            self.scope = scope_of(connection)
            self.savepoints = tuple(connection.savepoint_ids)
            self.state = connection.savepoint_state
        else:
            self.scope = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Known:
        return self


class KnownState(ModelState):
    """The state of an instance whose row is known."""

    def __copy__(self) -> KnownState:
        made = KnownState()
        made.__dict__.update(self.__dict__)
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> KnownState:
        made = memo[id(self)] = KnownState()
        made.__dict__.update(deepcopy(self.__dict__, memo))
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Be pickled as Django's own: what was known may be long past when it is read again."""
        return ModelState, (), {key: value for key, value in self.__dict__.items() if key != _KNOWN}


def known(instance: Model, root: type[Model], connection: BaseDatabaseWrapper) -> Mapping[str, Any]:
    """Return the values in the instance's row in this database, by `attname`, as far as they are known without asking.

    Nothing is known of another row than the one that was seen, of one that was written since through another instance,
    and of what a rollback has undone.
    """
    found: Known | None = instance._state.__dict__.get(_KNOWN)
    if found is None or found.using != connection.alias:
        return _NOTHING
    if found.pk != instance.pk and found.pk != row_key(instance):
        return _NOTHING
    if found.scope is not None and not found.scope.stands(found.savepoints, found.state, found.number):
        return _NOTHING
    kept = connection.__dict__
    rows, tables = kept.get(_ROWS), kept.get(_TABLES)
    if rows and (written := rows.get((root, found.pk))) is not None and written.number > found.number:
        return _NOTHING
    if tables and tables.get(root, 0) > found.number:
        return _NOTHING
    return found.values


def note_read(instance: Model, values: Mapping[str, Any], connection: BaseDatabaseWrapper) -> None:
    """Keep what was read of the instance's row."""
    state: Any = instance._state
    if type(state) is ModelState:
        state.__class__ = KnownState
    state.__dict__[_KNOWN] = Known(row_key(instance), connection, values)


def keep_known(instance: Model, connection: BaseDatabaseWrapper) -> None:
    """Take what was last known of the row for what it has now."""
    found: Known | None = instance._state.__dict__.get(_KNOWN)
    if found is not None:
        note_read(instance, found.values, connection)


def note_rows_written(pks: Collection[Any], root: type[Model], connection: BaseDatabaseWrapper) -> None:
    """Keep that rows were written by a statement; what instances know of them is past."""
    if not pks:
        return
    moment = Moment(connection)
    if len(pks) > MANY_ROWS:
        _note_table(root, connection, moment)
        return
    for pk in pks:
        _note(root, pk, connection, moment)


def note_table_written(root: type[Model], connection: BaseDatabaseWrapper) -> None:
    """Keep that rows were written of which it is not known which ones."""
    _note_table(root, connection, Moment(connection))


def note_created(instance: Model, table: type[Model], connection: BaseDatabaseWrapper) -> None:
    """Keep that there is such a row again, if it was deleted: but not the one that other instances know."""
    found = _last_written(table, row_key(instance), connection)
    if found is not None and found.deletes:
        _note(table, row_key(instance), connection, Moment(connection))


def is_there(instance: Model, table: type[Model], connection: BaseDatabaseWrapper) -> bool:
    """Tell whether there is still a row to delete: it was not deleted before, through another instance.

    Django may collect a row twice, as that of a proxy and as that of a child, and first says so of all that it deletes.
    """
    if not is_deleted(instance, table, connection):
        return True
    found: Known | None = instance._state.__dict__.get(_KNOWN)
    written = _last_written(table, row_key(instance), connection)
    return found is not None and written is not None and written.is_done and found.number > written.number


def note_leaving(instance: Model, table: type[Model], connection: BaseDatabaseWrapper) -> None:
    """Keep that a row is going to be deleted. An object with several tables has a row in each."""
    _note(table, row_key(instance), connection, Moment(connection, deletes=True))


def note_left(instance: Model, table: type[Model], connection: BaseDatabaseWrapper) -> None:
    """Keep that it was."""
    written = _last_written(table, row_key(instance), connection)
    if written is not None:
        written.is_done = True


def is_doubtful(instance: Model) -> bool:
    """Tell whether what was last known of the row was rolled back: there may be none."""
    found: Known | None = instance._state.__dict__.get(_KNOWN)
    return found is not None and not found.stands()


def is_deleted(instance: Model, table: type[Model], connection: BaseDatabaseWrapper) -> bool:
    """Tell whether a row was deleted, as far as this connection knows."""
    written = _last_written(table, row_key(instance), connection)
    return written is not None and written.deletes and written.stands()


def forget(instance: Model) -> None:
    """Know nothing of the instance's row any more."""
    instance._state.__dict__.pop(_KNOWN, None)


def _last_written(root: type[Model], pk: Any, connection: BaseDatabaseWrapper) -> Moment | None:
    rows: dict[Any, Moment] = connection.__dict__.get(_ROWS, {})
    return rows.get((root, pk))


def _note(root: type[Model], pk: Any, connection: BaseDatabaseWrapper, moment: Moment) -> None:
    rows: dict[Any, Moment] = connection.__dict__.setdefault(_ROWS, {})
    rows.pop((root, pk), None)  # so that the dict's order is that of the writing
    rows[root, pk] = moment
    if len(rows) > MAX_ROWS:
        (former, _), written = first = next(iter(rows.items()))
        del rows[first[0]]
        _note_table(former, connection, written)


def _note_table(root: type[Model], connection: BaseDatabaseWrapper, moment: Moment) -> None:
    tables: dict[type[Model], int] = connection.__dict__.setdefault(_TABLES, {})
    tables[root] = max(moment.number, tables.get(root, 0))
