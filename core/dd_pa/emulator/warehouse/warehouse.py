"""Every event that was taken, for queries: events wait in a queue, one thread appends them in batches."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from dd_pa.emulator.warehouse.catalogue import Catalogue
from dd_pa.emulator.warehouse.database import Database, WarehouseError
from dd_pa.emulator.warehouse.extent import EVERYTHING, Extent, Stretch
from dd_pa.emulator.warehouse.query_deadline import QueryDeadline, QueryTimeoutError
from dd_pa.emulator.warehouse.table_row import Event
from dd_pa.emulator.warehouse.writer import Writer

MAX_WAITING = 200_000
"""Events that wait to be appended; beyond them the oldest are lost for queries."""
MAX_SECONDS = 10.0
"""How long a query may take."""

_FILE = "events.duckdb"
_BATCH = 2_000
_QUIET_BEFORE_OPENING = 20_000
_PAUSE = 0.25
_IDLE = 1.0
_REST = 1.0
"""Seconds after a failure before the next try, which an event or a query begins."""


class State(NamedTuple):
    """How the warehouse is."""

    trouble: str | None
    """Why events cannot be written, None as long as they can."""
    waiting: int
    """Events that are not written yet."""
    lost: int
    """Events that queries will never see, as too many were waiting."""


class Warehouse:
    """Safe to use from any thread. `put` never waits for the database, `read` waits for what was put before it.

    Without a folder the file is a temporary one, and nothing is opened before the first query (or 20,000 events): an
    emulator that only takes events needs no DuckDB. Its thread ends when there is nothing to do.
    """

    patience = MAX_SECONDS
    """Seconds that a query may take where nobody says otherwise."""

    def __init__(self, folder: Path | None, clock: Callable[[], float]) -> None:
        """Raises WarehouseError if the folder cannot be used."""
        self._clock = clock
        self._folder = folder
        self._waiting: deque[Event] = deque()
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._put = self._written = self._lost = 0
        self._wanted = self._idle = False
        self._thread: threading.Thread | None = None
        self._failure: str | None = None
        self._retry_at = 0.0
        self._open_file: tuple[Database, Writer] | None = None
        self._before = 0
        self.former = 0
        """Number of the last event that was there before this run, or that nobody sent in it."""
        if folder is not None:
            _create(folder)
            self._before = self.former = self._opened()[1].last

    def state(self) -> State:
        """Return how it is."""
        with self._changed:
            return State(trouble=self._failure, waiting=len(self._waiting), lost=self._lost)

    @property
    def next(self) -> int:
        """Return the number that the next event will have; they rise from 1, and no two have the same."""
        return self._before + self._put + 1

    def put(self, events: Sequence[Event]) -> int:
        """Add events; returns the number of the first."""
        with self._changed:
            first = self.next
            self._put += len(events)
            self._waiting.extend(events)
            self._drop_beyond()
            is_used = self._open_file is not None or self._failure is not None
            if is_used or len(self._waiting) >= _QUIET_BEFORE_OPENING:
                self._wake()
        return first

    def _wake(self) -> None:
        if self._thread is None and self._waiting and time.monotonic() >= self._retry_at:
            self._thread = threading.Thread(target=self._append, name="dd-pa-warehouse", daemon=True)
            self._thread.start()
        elif self._idle or self._wanted:
            # A writer that lets a batch grow is not woken by each event.
            self._changed.notify_all()

    def _append(self) -> None:
        """Append until nothing came for a while, or it fails."""
        batch: list[Event] = []
        try:
            while True:
                first, batch = self._next_batch()
                if not batch:
                    return
                with self._writing:
                    _, writer = self._opened()
                    writer.write(first, batch, int(self._clock() * 1000))
                self._done(len(batch))
        except WarehouseError as error:
            self._fail(error, batch)
        except Exception as error:  # whatever it is, queries must say it instead of answering from half of the events
            self._fail(WarehouseError(f"events could not be written: {type(error).__name__}: {error}"), batch)
            raise

    def _next_batch(self) -> tuple[int, list[Event]]:
        """Return some events and the number of the first; none after a while in which none came."""
        with self._changed:
            end = time.monotonic() + _IDLE
            self._idle = True
            while not self._waiting and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
            self._idle = False
            if len(self._waiting) < _BATCH and not self._wanted:
                self._changed.wait_for(lambda: self._wanted, _PAUSE)
            batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            if not batch:
                self._thread = None
            return self._before + self._written + 1, batch

    def _done(self, count: int) -> None:
        with self._changed:
            self._written += count
            self._failure = None
            self._changed.notify_all()

    def _fail(self, error: WarehouseError, batch: list[Event]) -> None:
        """Keep what could not be written for a later try, on a file opened anew: after a failure nothing is sure.

        Queries say why until all is written.
        """
        self._close_file()
        with self._changed:
            self._failure, self._thread, self._retry_at = str(error), None, time.monotonic() + _REST
            self._waiting.extendleft(reversed(batch))
            self._drop_beyond()
            self._changed.notify_all()

    def _drop_beyond(self) -> None:
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popleft()
            self._written += 1
            self._lost += 1

    def _close_file(self) -> None:
        with self._writing:
            if self._open_file is not None:
                self._open_file[0].close()
                self._open_file = None

    def _opened(self) -> tuple[Database, Writer]:
        if self._open_file is None:
            database = Database((self._folder or self._temporary()) / _FILE)
            with ExitStack() as undone:
                undone.callback(database.close)
                writer = Writer(database)
                writer.sweep(int(self._clock() * 1000))
                undone.pop_all()
            self._open_file = database, writer
        return self._open_file

    def _temporary(self) -> Path:
        folder = tempfile.mkdtemp(prefix="dd-pa-emulator-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    def catalogue(self, timeout: float = MAX_SECONDS) -> Catalogue:
        """Wait until all that was put is in the table, and return which columns it has.

        Raises WarehouseError where there is no database, QueryTimeoutError if the wait takes too long.
        """
        with self._changed:
            arrived = self._wait_for_all(timeout)
            if self._failure is not None:
                raise WarehouseError(self._failure)
        if not arrived:
            raise QueryTimeoutError
        with self._writing:
            return self._opened()[0].catalogue

    def _wait_for_all(self, timeout: float) -> bool:
        """Wait until what was put is written or cannot be; a failure of before is forgotten when it is tried again."""
        target = self._put
        self._wanted = True
        before, self._failure = self._failure, None
        self._wake()
        if before is not None and self._thread is None and self._waiting:
            self._failure = before
        arrived = self._changed.wait_for(lambda: self._written >= target or self._failure is not None, timeout)
        self._wanted = False
        return arrived

    @property
    def ceiling(self) -> int:
        """Return a number that no event has while a statement runs: more may come meanwhile."""
        return 2 * self.next

    def stretches(self, before: int) -> Iterator[Stretch]:
        """Return parts of the events with numbers below this, the newest part first, to look for the newest in."""
        yield Stretch(0, before - 1, 0, 0)

    def read(
        self,
        sql: str,
        parameters: Mapping[str, object],
        deadline: QueryDeadline,
        extent: Extent = EVERYTHING,
    ) -> list[tuple[Any, ...]]:
        """Run one generated SELECT; `catalogue` comes first. Raises QueryTimeoutError, WarehouseError."""
        opened = self._open_file
        if opened is None:
            raise WarehouseError(self._failure or "the emulator's data was closed")
        return opened[0].read(sql, parameters, deadline, extent)

    def newest(self, count: int) -> list[tuple[int, int, str]]:
        """Return (row, time, body) of the newest events, oldest first."""
        self.catalogue()
        newest = f"SELECT seq, ts, body FROM events ORDER BY seq DESC LIMIT {count:d}"
        return [(row[0], row[1], row[2]) for row in reversed(self.read(newest, {}, QueryDeadline(MAX_SECONDS)))]

    def clear(self) -> None:
        """Forget all events, also those that wait."""
        with self._writing:
            with self._changed:
                self._written += len(self._waiting)
                self._waiting.clear()
                self._failure, self._retry_at = None, 0.0
                self._changed.notify_all()
            if self._open_file is not None:
                self._open_file[1].clear()

    def close(self) -> None:
        """Append what waits and close the file; there is nothing to query after it."""
        with self._changed:
            if self._open_file is not None or self._failure is not None:
                self._retry_at = 0.0
                self._wait_for_all(MAX_SECONDS)
        self._close_file()


def _create(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise WarehouseError(f"{folder} cannot be used as the emulator's data: {error.strerror or error}") from None
