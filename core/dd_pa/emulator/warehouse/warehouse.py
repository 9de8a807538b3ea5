"""Every event that was taken, for queries: events wait in a queue, one thread appends them in batches."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dd_pa.emulator.warehouse.catalogue import Catalogue
from dd_pa.emulator.warehouse.database import Database, WarehouseError
from dd_pa.emulator.warehouse.flat import Event
from dd_pa.emulator.warehouse.patience import Patience, QueryTimeoutError
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


class Warehouse:
    """Safe to use from any thread. `put` never waits for the database, `read` waits for what was put before it.

    Without a folder the file is a temporary one, and nothing is opened before the first query (or 20,000 events): an
    emulator that only takes events needs no DuckDB. Its thread ends when there is nothing to do.
    """

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
        self._failure: WarehouseError | None = None
        self._open_file: tuple[Database, Writer] | None = None
        if folder is not None:
            _create(folder)
            self._opened()

    @property
    def lost(self) -> int:
        """Events that could not be kept for queries."""
        return self._lost

    def put(self, events: Sequence[Event]) -> None:
        """Add events."""
        with self._changed:
            self._put += len(events)
            if self._failure is not None:
                self._written += len(events)
                self._lost += len(events)
                return
            self._waiting.extend(events)
            while len(self._waiting) > MAX_WAITING:
                self._waiting.popleft()
                self._written += 1
                self._lost += 1
            if self._open_file is not None or len(self._waiting) >= _QUIET_BEFORE_OPENING:
                self._wake()

    def _wake(self) -> None:
        if self._thread is None and self._failure is None and self._waiting:
            self._thread = threading.Thread(target=self._append, name="dd-pa-warehouse", daemon=True)
            self._thread.start()
        elif self._idle or self._wanted:
            # A writer that lets a batch grow is not woken by each event.
            self._changed.notify_all()

    def _append(self) -> None:
        """Append until nothing came for a while."""
        try:
            while batch := self._next_batch():
                with self._writing:
                    _, writer = self._opened()
                    writer.write(batch, int(self._clock() * 1000))
                self._done(len(batch))
        except WarehouseError as error:
            self._fail(error)
        except Exception as error:  # whatever it is, queries must say it instead of answering from half of the events
            self._fail(WarehouseError(f"events could not be written: {type(error).__name__}: {error}"))
            raise

    def _next_batch(self) -> list[Event]:
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
            return batch

    def _done(self, count: int) -> None:
        with self._changed:
            self._written += count
            self._changed.notify_all()

    def _fail(self, error: WarehouseError) -> None:
        with self._changed:
            self._failure, self._thread = error, None
            self._lost += self._put - self._written
            self._written = self._put
            self._waiting.clear()
            self._changed.notify_all()

    def _opened(self) -> tuple[Database, Writer]:
        if self._open_file is None:
            database = Database((self._folder or self._temporary()) / _FILE)
            writer = Writer(database)
            writer.sweep(int(self._clock() * 1000))
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
            target = self._put
            self._wanted = True
            self._wake()
            arrived = self._changed.wait_for(lambda: self._written >= target or self._failure is not None, timeout)
            self._wanted = False
            if self._failure is not None:
                raise self._failure
        if not arrived:
            raise QueryTimeoutError
        with self._writing:
            return self._opened()[0].catalogue

    def read(self, sql: str, parameters: Mapping[str, object], patience: Patience) -> list[tuple[Any, ...]]:
        """Run one generated SELECT; `catalogue` comes first. Raises QueryTimeoutError."""
        assert self._open_file is not None  # noqa: S101 - the catalogue was asked before
        return self._open_file[0].read(sql, parameters, patience)

    def newest(self, count: int) -> list[tuple[int, int, str]]:
        """Return (row, time, body) of the newest events, oldest first."""
        self.catalogue()
        newest = f"SELECT seq, ts, body FROM events ORDER BY seq DESC LIMIT {count:d}"
        return [(row[0], row[1], row[2]) for row in reversed(self.read(newest, {}, Patience(MAX_SECONDS)))]

    def clear(self) -> None:
        """Forget all events, also those that wait."""
        with self._writing:
            with self._changed:
                self._written += len(self._waiting)
                self._waiting.clear()
                self._failure = None
                self._changed.notify_all()
            if self._open_file is not None:
                self._open_file[1].clear()

    def close(self) -> None:
        """Append what waits and close the file; there is nothing to query after it."""
        with self._changed:
            target = self._put
            self._wanted = True
            if self._open_file is not None:
                self._wake()
                self._changed.wait_for(lambda: self._written >= target or self._failure is not None, MAX_SECONDS)
        with self._writing:
            if self._open_file is not None:
                self._open_file[0].close()
                self._open_file = None


def _create(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise WarehouseError(f"{folder} cannot be used as the emulator's data: {error.strerror or error}") from None
