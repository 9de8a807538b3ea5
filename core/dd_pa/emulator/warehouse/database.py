"""The DuckDB file: locked down, opened late, read by generated statements only."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from dd_pa.emulator.search.number_units import MAX_LENGTH, MEASURE, NANOSECONDS
from dd_pa.emulator.warehouse.catalogue import DOCUMENTED, Catalogue
from dd_pa.emulator.warehouse.extent import EVERYTHING, Extent
from dd_pa.emulator.warehouse.query_deadline import QueryDeadline, QueryTimeoutError

FORMAT = 1
MEMORY = "1GB"
"""What DuckDB may use at most; larger intermediate results go to disk beside the file."""

_CONFIG: dict[str, Any] = {
    "memory_limit": MEMORY,
    "enable_external_access": False,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,
}

# What a spelled value is as a number: a number itself, or a string that is one, with or without a unit of time.
_NUMBER_OF = f"""
CREATE OR REPLACE MACRO number_of(x) AS CASE
    WHEN starts_with(x, 'n') THEN try_cast(substr(x, 2) AS DOUBLE)
    WHEN starts_with(x, 's') AND length(x) <= {MAX_LENGTH + 1} AND regexp_full_match(substr(x, 2), '{MEASURE}') THEN
        try_cast(regexp_extract(substr(x, 2), '{MEASURE}', 1) AS DOUBLE)
        * CASE regexp_extract(substr(x, 2), '{MEASURE}', 2)
        {" ".join(f"WHEN '{unit}' THEN {factor}::DOUBLE" for unit, factor in NANOSECONDS.items())} ELSE 1 END
END
"""


class WarehouseError(Exception):
    """The warehouse cannot be used; the text says why and what to do."""


class Database:
    """One file with one table of events. Reading is safe from any thread; writing is the writer's alone."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises WarehouseError."""
        duckdb = _import()
        with ExitStack() as undone:
            try:
                self.connection = self._connect(duckdb, path, {**_CONFIG, "threads": max(2, os.cpu_count() or 2)})
                undone.callback(self.connection.close)
                self.connection.execute("SET GLOBAL TimeZone = 'UTC'")  # a file's time without a zone is none of here
                self.connection.execute(
                    "SET enable_progress_bar = false"
                )  # it is drawn into the terminal of the command
                self.connection.execute("SET lock_configuration = true")
                self.connection.execute(_NUMBER_OF)
                self.catalogue = self._prepare()
                # The writer's connection is busy most of the time, and a busy one makes no cursors.
                self._reader = self.connection.cursor()
                self._lock = threading.Lock()
            except duckdb.Error as error:
                reason = str(error).partition("\n")[0]
                raise WarehouseError(f"{path} cannot be used as the emulator's data: {reason}") from None
            undone.pop_all()

    def _connect(self, duckdb: Any, path: Path, config: dict[str, Any]) -> Any:
        return duckdb.connect(str(path), config=config)

    def _prepare(self) -> Catalogue:
        self.connection.execute("CREATE TABLE IF NOT EXISTS about (format INTEGER)")
        found = self.connection.execute("SELECT format FROM about").fetchone()
        if found is None:
            self.connection.execute("INSERT INTO about VALUES (?)", [FORMAT])
            return self.create_tables()
        if found[0] != FORMAT:
            raise WarehouseError(
                f"the data was written in format {found[0]}, this version reads {FORMAT}: move it away"
            )
        return Catalogue(self.connection.execute("SELECT path, number, listed FROM facets ORDER BY number").fetchall())

    def create_tables(self) -> Catalogue:
        """Create the tables anew, empty."""
        singles = [(path, number) for number, path in enumerate(DOCUMENTED)]
        columns = "".join(f", f{number} VARCHAR" for _, number in singles)
        self.connection.execute("BEGIN")
        self.connection.execute("CREATE OR REPLACE TABLE facets (path VARCHAR, number INTEGER, listed BOOLEAN)")
        self.connection.execute(
            "CREATE OR REPLACE TABLE events (seq BIGINT, ts BIGINT, body VARCHAR, words VARCHAR, "
            f"rest MAP(VARCHAR, VARCHAR[]){columns})"
        )
        self.connection.executemany("INSERT INTO facets VALUES (?, ?, false)", singles)
        self.connection.execute("COMMIT")
        return Catalogue((path, number, False) for path, number in singles)

    @contextmanager
    def writing(self) -> Iterator[Any]:
        """Make one transaction of the block. Raises WarehouseError naming the cause, with nothing of it written."""
        duckdb = _import()
        try:
            self.connection.execute("BEGIN")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                # A commit that failed has undone everything already.
                with suppress(duckdb.TransactionException):
                    self.connection.execute("ROLLBACK")
                raise
        except duckdb.Error as error:
            raise WarehouseError(f"events cannot be written: {str(error).partition(chr(10))[0]}") from None

    def read(
        self, sql: str, parameters: Mapping[str, object], deadline: QueryDeadline, extent: Extent = EVERYTHING
    ) -> list[tuple[Any, ...]]:
        """Run one SELECT. Raises QueryTimeoutError or AbandonedError when the deadline comes."""
        duckdb = _import()
        with self._lock:
            cursor = self._reader.cursor()
            statements = cursor.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise WarehouseError("only one SELECT can be asked")
        try:
            with deadline.interrupting(cursor.interrupt):
                self._narrow(cursor, extent)
                rows: list[tuple[Any, ...]] = cursor.execute(statements[0], dict(parameters)).fetchall()
        except duckdb.InterruptException:
            deadline.check()
            raise QueryTimeoutError from None
        except duckdb.OutOfMemoryException:
            raise WarehouseError(f"the query needs more than {MEMORY} of memory: ask for less at once") from None
        except duckdb.Error as error:
            raise WarehouseError(f"the query failed: {str(error).partition(chr(10))[0]}") from error
        finally:
            cursor.close()
        return rows

    def _narrow(self, cursor: Any, extent: Extent) -> None:
        """Have a cursor read no more than an extent needs; a table with a file of its own is read as it is."""

    def close(self) -> None:
        """Write what is in memory to the file, and close it."""
        self._reader.close()
        self.connection.close()


def _import() -> Any:
    try:
        import duckdb  # noqa: PLC0415 - the emulator takes events without it
    except ImportError:
        raise WarehouseError("queries need DuckDB: pip install 'dd-pa[emulator]'") from None
    return duckdb
