"""Events that Datadog's Export Pipelines wrote, read where they lie: the table is a view of Parquet files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

from dd_pa.emulator.search.predicates import SEPARATOR
from dd_pa.emulator.warehouse.archive_columns import KNOWN, TIMES, Leaf, body_of, leaves, quoted, time_of
from dd_pa.emulator.warehouse.catalogue import Catalogue
from dd_pa.emulator.warehouse.database import Database, WarehouseError
from dd_pa.emulator.warehouse.json_archive import PATTERN as JSON_PATTERN
from dd_pa.emulator.warehouse.json_archive import JsonArchive
from dd_pa.emulator.warehouse.query_deadline import QueryDeadline
from dd_pa.emulator.warehouse.table_row import Event
from dd_pa.emulator.warehouse.warehouse import MAX_SECONDS, Warehouse

PATTERN = "dt=*/hour=*/archive_*.parquet"
MAX_SECONDS_OF_FILES = 60.0
"""How long a query of them may take."""
MAX_FILES = 1 << 16
MAX_ROWS = 1 << 24
"""Rows of one file: the number of an event is that of its file and its place in it."""


def exported(folder: Path, clock: Callable[[], float]) -> Warehouse:
    """Return what reads a folder of either format. Raises WarehouseError for one without such files, or with both."""
    if not folder.is_dir() or next(folder.rglob(JSON_PATTERN), None) is None:
        return Archive(folder, clock)
    if next(folder.rglob(PATTERN), None) is not None:
        raise WarehouseError(f"{folder} has files of both formats, {PATTERN} and {JSON_PATTERN}: give a folder of one")
    return JsonArchive(folder, clock)


class Archive(Warehouse):
    """Takes no events, and changes nothing. Safe to use from any thread."""

    patience = MAX_SECONDS_OF_FILES

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        """Raises WarehouseError for a folder without such files, and for files of something else."""
        super().__init__(None, clock)
        self._database = _ArchiveDatabase(folder)
        self._before = self.former = self._database.last

    def put(self, events: Sequence[Event]) -> NoReturn:
        """Raise WarehouseError."""
        raise WarehouseError("this emulator only reads")

    def catalogue(self, timeout: float = MAX_SECONDS) -> Catalogue:
        """Return which columns there are."""
        return self._database.catalogue

    def read(self, sql: str, parameters: Mapping[str, object], deadline: QueryDeadline) -> list[tuple[Any, ...]]:
        """Run one generated SELECT. Raises QueryTimeoutError, WarehouseError."""
        return self._database.read(sql, parameters, deadline)

    def clear(self) -> None:
        """Forget nothing: the files are not ours."""

    def close(self) -> None:
        """Let go of the files."""
        self._database.close()


class _ArchiveDatabase(Database):
    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._files = sorted(self._folder.rglob(PATTERN)) if folder.is_dir() else []
        if not self._files:
            raise WarehouseError(
                f"{folder} has no {PATTERN} and no {JSON_PATTERN}, as Datadog's Export Pipelines write them"
            )
        if len(self._files) > MAX_FILES:
            raise WarehouseError(
                f"{folder} has {len(self._files):,} files, more than {MAX_FILES:,}: give a folder in it"
            )
        self._spill = tempfile.TemporaryDirectory(prefix="dd-pa-emulator-")
        with ExitStack() as undone:
            undone.callback(self._spill.cleanup)
            super().__init__(folder)
            undone.pop_all()

    def _connect(self, duckdb: Any, path: Path, config: dict[str, Any]) -> Any:
        """Return a connection that reaches the folder, and no other file."""
        open_at_first = {name: value for name, value in config.items() if name != "enable_external_access"}
        connection = duckdb.connect(":memory:", config=open_at_first)
        connection.execute(f"SET temp_directory = {quoted(self._spill.name)}")
        connection.execute(f"SET allowed_directories = [{quoted(str(self._folder))}]")
        connection.execute("SET enable_external_access = false")
        return connection

    def _prepare(self) -> Catalogue:
        files = f"[{', '.join(quoted(str(file)) for file in self._files)}]"
        source = f"read_parquet({files}, union_by_name = true, hive_partitioning = false)"
        rows = f"SELECT max(num_rows) FROM parquet_file_metadata({files})"
        [(most,)] = self.connection.execute(rows).fetchall()
        if most > MAX_ROWS:
            raise WarehouseError(f"{self._folder} has a file of {most:,} events, more than {MAX_ROWS:,}")
        # As small as can be: what orders events then fits into a BIGINT with their time.
        self._rows = 1 << int(most).bit_length()
        self.last = len(self._files) * self._rows
        relation = self.connection.sql(f"SELECT * FROM {source}")
        found = leaves(list(zip(relation.columns, relation.types, strict=True)))
        self._create_view(source, found, self._time(found))
        return Catalogue((leaf.path, number, leaf.is_list) for number, leaf in enumerate(found))

    def _time(self, found: Sequence[Leaf]) -> str:
        time = time_of(found)
        paths = [leaf.path for leaf in found]
        if time is None or not any(path in KNOWN for path in paths):
            lacks = f"a time ({', '.join(TIMES)})" if time is None else f"any of {', '.join(KNOWN)}"
            shown = ", ".join(paths[:20])
            raise WarehouseError(f"{self._folder} has other columns than events: {lacks} is not among {shown}")
        return time

    def _create_view(self, source: str, found: Sequence[Leaf], time: str) -> None:
        columns = [
            f"(file_index::BIGINT * {self._rows:d}) + file_row_number AS seq",
            f"coalesce({time}, 0) AS ts",
            f"{body_of(found)} AS body",
            f"lower(concat_ws({quoted(SEPARATOR)}, {', '.join(leaf.words for leaf in found)})) AS words",
            "NULL::MAP(VARCHAR, VARCHAR[]) AS rest",
        ]
        for number, leaf in enumerate(found):
            columns.append(f"{'NULL::VARCHAR' if leaf.is_list else leaf.spelled} AS f{number:d}")
            if leaf.is_list:
                columns.append(f"{leaf.spelled} AS l{number:d}")
        self.connection.execute(f"CREATE VIEW events AS SELECT {', '.join(columns)} FROM {source}")

    def close(self) -> None:
        """Let go of the files, and of what queries put aside."""
        super().close()
        self._spill.cleanup()
