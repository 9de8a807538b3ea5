"""What an instance knows of its row: the values of followed fields when they were last read or written.

Kept in the instance's `_state`: copies and pickles of the instance have it too, and its `__dict__` does not show it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from dd_pa_django.handover import open_transaction

SNAPSHOT = "dd_pa_snapshot"
"""Where the values are, as a dict that is replaced and never changed: copies of the instance share it."""

_FATE = "dd_pa_fate"


class Fate:
    """Becomes of a transaction, or of a savepoint, what became of the changes in it: Django calls it on commit."""

    def __init__(self, connection: BaseDatabaseWrapper | None) -> None:
        self._connection = connection

    def __call__(self) -> None:
        self._connection = None

    def is_doubtful(self) -> bool:
        """Tell whether the changes may have been rolled back: no commit was seen, and none is awaited any more.

        Also true for a moment while the commit hooks run that were registered earlier.
        """
        connection = self._connection
        if connection is None:
            return False
        return not any(hook[1] is self for hook in reversed(connection.run_on_commit))

    def __deepcopy__(self, memo: dict[int, Any]) -> Fate:
        return self

    def __reduce__(self) -> tuple[type[Fate], tuple[None]]:
        """What is pickled cannot see its transaction any more, and is taken for committed."""
        return Fate, (None,)


def known(instance: Model) -> Mapping[str, Any]:
    """Return the values in the instance's row, by `attname`, as far as they are known without asking."""
    state = instance._state.__dict__
    fate: Fate | None = state.get(_FATE)
    if fate is not None and fate.is_doubtful():
        return {}
    values: Mapping[str, Any] = state.get(SNAPSHOT, {})
    return values


def remember(instance: Model, values: Mapping[str, Any]) -> None:
    """Keep values that were there before."""
    state = instance._state.__dict__
    state[SNAPSHOT] = values
    state.pop(_FATE, None)


def remember_written(instance: Model, values: Mapping[str, Any], using: str) -> None:
    """Keep values that are to be forgotten if the open transaction of `using` is rolled back."""
    remember(instance, values)
    connection = open_transaction(using)
    if connection is not None:
        fate = Fate(connection)
        instance._state.__dict__[_FATE] = fate
        connection.on_commit(fate, robust=True)


def remember_again(instance: Model, values: Mapping[str, Any]) -> None:
    """Keep values that were read or written again, perhaps inside of the transaction that they depend on."""
    before = known(instance)
    state = instance._state.__dict__
    state[SNAPSHOT] = {**before, **values}
    if not before:
        state.pop(_FATE, None)


def forget(instance: Model) -> None:
    """Know nothing of the instance's row any more."""
    remember(instance, {})
