"""Transaction blocks of an application: what waits for their commit, and what was seen in them.

A block is one hook of Django's, whatever waits in it: it comes before those of others, so that one of them that raises
loses nothing of ours, and tests that count hooks count one more. A savepoint needs none of its own, as Django asks each
hook whether it belongs to the savepoint that is rolled back. It numbers them as they are made, those of
`transaction.savepoint()` too, which it does not list: what came after one is undone with it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Protocol

from django.db.backends.base.base import BaseDatabaseWrapper

from dd_pa.process.atomic_counter import steps

Savepoints = Sequence[str | None]
"""Those that were open at some moment, the outermost first; None is a block without one."""

next_number = steps()
"""Number a moment: of two, the later one has the greater number."""

_KEY = "dd_pa_block"
_TEST_KEY = "dd_pa_test_block"


class Scope(Protocol):
    """Where something was seen."""

    def stands(self, savepoints: Savepoints, state: int, number: int) -> bool:
        """Tell whether what was seen at a moment may still be believed: it was not rolled back.

        Given are the savepoints that were open, how many had been made, and the number of the moment.
        """
        ...


class TransactionBlock:
    """An outermost `atomic()` of the application. Django calls it on commit."""

    def __init__(self, connection: BaseDatabaseWrapper, depth: int) -> None:
        """Begin with the block that is open at a depth: above 0 there are those of a `TestCase` around it."""
        blocks: Any = connection.atomic_blocks
        self._connection = connection
        self._depth = depth
        self._opened_by = blocks[depth] if depth < len(blocks) else None
        self._savepoints = tuple(connection.savepoint_ids[:depth])
        self._undone: list[tuple[int, int]] = []
        self._committed: bool | None = None
        self._waiting: list[tuple[Savepoints, int, Callable[[], object]]] = []
        self.leaving: dict[tuple[type, int], Any] = {}
        """What is about to be removed, by the sender of a signal and the `id` of its instance."""

        self.pointing: defaultdict[type, defaultdict[Any, list[Any]]] = defaultdict(lambda: defaultdict(list))
        """Rows that point to what is about to be deleted, as they were read, by their table and their key."""

        entry: Any = (_HookSavepoints(self, self._savepoints), self, True)
        self._hooks = connection.run_on_commit
        self._hooks.insert(len(self._hooks) if depth else 0, entry)

    def __call__(self) -> None:
        """Do what has waited. Each call is made, also if one fails before it."""
        waiting, self._waiting = self._waiting, []
        self._connection.__dict__.pop(_KEY, None)
        if not self._connection.in_atomic_block:  # else a test runs the hooks of a block that it never commits
            self._committed = True
        errors = []
        for _, _, call in waiting:
            try:
                call()
            except BaseException as error:  # whatever it is, it is raised below
                errors.append(error)
        if errors:
            raise errors[0]

    def is_open(self) -> bool:
        """Tell whether the connection is inside of this block now."""
        if self._committed is not None or not self._is_hooked():
            return False
        if not self._depth:
            return True
        blocks: Any = self._connection.atomic_blocks
        is_innermost = len(blocks) > self._depth and blocks[self._depth] is self._opened_by
        return is_innermost and tuple(self._connection.savepoint_ids[: self._depth]) == self._savepoints

    def _is_hooked(self) -> bool:
        """Tell whether Django still has the hook. It makes another list of them for each rollback only."""
        hooks = self._connection.run_on_commit
        if hooks is not self._hooks:
            if not any(hook[1] is self for hook in hooks):
                self._committed = False
                return False
            self._hooks = hooks
        return True

    def stands(self, savepoints: Savepoints, state: int, number: int) -> bool:
        if self._undone and self._is_undone(state, number):
            return False
        return self._is_hooked() if self._committed is None else self._committed

    def _is_undone(self, state: int, number: int) -> bool:
        later = bisect_right(self._undone, number, key=itemgetter(1))
        return later < len(self._undone) and self._undone[later][0] <= state

    def undo(self, savepoint: str) -> None:
        """Drop what waits in a savepoint that is rolled back: all that came since it was made."""
        state = int(savepoint.rpartition("_x")[2])
        while self._waiting and self._waiting[-1][1] >= state:
            self._waiting.pop()
        while self._undone and self._undone[-1][0] >= state:  # the later one undoes all that these do
            self._undone.pop()
        self._undone.append((state, next_number()))

    def add(self, call: Callable[[], object]) -> None:
        """Have this called on commit, unless the innermost savepoint is rolled back."""
        self._waiting.append((tuple(self._connection.savepoint_ids), self._connection.savepoint_state, call))

    @property
    def waiting(self) -> Iterator[tuple[Savepoints, Callable[[], object]]]:
        """What waits. It may be asked in any thread."""
        return iter([(savepoints, call) for savepoints, _, call in list(self._waiting)])


class _HookSavepoints(set[Any]):
    """The savepoints of a hook. Django asks whether one that is rolled back is among them, and nobody else asks."""

    def __init__(self, block: TransactionBlock, savepoints: Savepoints) -> None:
        super().__init__(savepoints)
        self._block = block

    def __contains__(self, savepoint: object) -> bool:
        if super().__contains__(savepoint):
            return True
        self._block.undo(str(savepoint))
        return False


class _TestBlock:
    """The blocks of a `TestCase`, which never commits: what was seen in them stands as long as they are open."""

    def __init__(self, connection: BaseDatabaseWrapper, outermost: Any) -> None:
        self._connection = connection
        self.outermost = outermost

    def stands(self, savepoints: Savepoints, state: int, number: int) -> bool:
        blocks: Any = self._connection.atomic_blocks
        is_open = bool(blocks) and blocks[0] is self.outermost
        return is_open and tuple(self._connection.savepoint_ids[: len(savepoints)]) == savepoints


def block_of(connection: BaseDatabaseWrapper) -> TransactionBlock | None:
    """Return the application's block that is open; None outside of any, and where only those of a `TestCase` are."""
    if not connection.in_atomic_block:
        return None
    found: TransactionBlock | None = connection.__dict__.get(_KEY)
    if found is not None and found.is_open():
        return found
    blocks: Any = connection.atomic_blocks
    depth = sum(block._from_testcase for block in blocks)
    if depth == len(blocks):
        return None
    found = connection.__dict__[_KEY] = TransactionBlock(connection, depth)
    return found


def scope_of(connection: BaseDatabaseWrapper) -> Scope | None:
    """Return what decides whether that which is seen now may be believed later; None outside of transactions."""
    if not connection.in_atomic_block:
        return None
    block = block_of(connection)
    return block if block is not None else _test_block(connection)


def _test_block(connection: BaseDatabaseWrapper) -> _TestBlock:
    blocks: Any = connection.atomic_blocks
    found: _TestBlock | None = connection.__dict__.get(_TEST_KEY)
    if found is None or found.outermost is not blocks[0]:
        found = connection.__dict__[_TEST_KEY] = _TestBlock(connection, blocks[0])
    return found


def when_committed(connection: BaseDatabaseWrapper, call: Callable[[], object]) -> TransactionBlock:
    """Have something done when the open block commits, and not if it is rolled back.

    Directly in a `TestCase` there is none: what is done there would commit by itself.
    """
    block = block_of(connection) or TransactionBlock(connection, len(connection.atomic_blocks))
    block.add(call)
    return block


def blocks_of(connection: BaseDatabaseWrapper) -> Iterator[TransactionBlock]:
    """Yield the blocks that wait for the connection's transaction."""
    for hook in list(connection.run_on_commit):
        if isinstance(hook[1], TransactionBlock):
            yield hook[1]
