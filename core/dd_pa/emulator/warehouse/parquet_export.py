"""Events that Datadog's Export Pipelines wrote, read where they lie: the table is a view of Parquet files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

from dd_pa.emulator.search.predicates import SEPARATOR
from dd_pa.emulator.warehouse.archive_files import ArchiveFiles, Content, by_time
from dd_pa.emulator.warehouse.catalogue import Catalogue
from dd_pa.emulator.warehouse.database import Database, WarehouseError
from dd_pa.emulator.warehouse.export_columns import KNOWN, TIMES, Leaf, body_of, leaves, quoted, time_of
from dd_pa.emulator.warehouse.extent import EVERYTHING, Extent, Stretch
from dd_pa.emulator.warehouse.json_export import PATTERN as JSON_PATTERN
from dd_pa.emulator.warehouse.json_export import JsonExport
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
        return ParquetExport(folder, clock)
    if next(folder.rglob(PATTERN), None) is not None:
        raise WarehouseError(f"{folder} has files of both formats, {PATTERN} and {JSON_PATTERN}: give a folder of one")
    return JsonExport(folder, clock)


class ParquetExport(Warehouse):
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

    @property
    def ceiling(self) -> int:
        """Return a number that no event has: none comes."""
        return self.next

    def stretches(self, before: int) -> Iterator[Stretch]:
        """Return parts of the events with smaller numbers, the newest part first, each larger than the one before."""
        return self._database.files.stretches(before)

    def read(
        self,
        sql: str,
        parameters: Mapping[str, object],
        deadline: QueryDeadline,
        extent: Extent = EVERYTHING,
    ) -> list[tuple[Any, ...]]:
        """Run one generated SELECT. Raises QueryTimeoutError, WarehouseError."""
        return self._database.read(sql, parameters, deadline, extent)

    def clear(self) -> None:
        """Forget nothing: the files are not ours."""

    def close(self) -> None:
        """Let go of the files."""
        self._database.close()


class _ArchiveDatabase(Database):
    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._files = by_time(list(self._folder.rglob(PATTERN))) if folder.is_dir() else []
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
        connection.execute("SET parquet_metadata_cache = true")  # each question looks into all of its files first
        return connection

    def _prepare(self) -> Catalogue:
        files = _listed(self._files)
        rows = f"SELECT max(num_rows) FROM parquet_file_metadata({files})"
        [(most,)] = self.connection.execute(rows).fetchall()
        if most > MAX_ROWS:
            raise WarehouseError(f"{self._folder} has a file of {most:,} events, more than {MAX_ROWS:,}")
        # As small as can be: what orders events then fits into a BIGINT with their time.
        size = 1 << int(most).bit_length()
        self.last = len(self._files) * size
        relation = self.connection.sql(f"SELECT * FROM {_source(files)}")
        found = leaves(list(zip(relation.columns, relation.types, strict=True)))
        self._columns = self._columns_of(found, self._time(found))
        self.connection.execute(f"CREATE VIEW events AS {self._selection(range(len(self._files)), size)}")
        self.files = ArchiveFiles(size, self._contents(size), len(self._files))
        self._examples = self._of_each_schema(files)
        return Catalogue((leaf.path, number, leaf.is_list) for number, leaf in enumerate(found))

    def _contents(self, size: int) -> dict[int, Content]:
        rows = f"SELECT seq // {size:d}, min(ts), max(ts), count(*) FROM events GROUP BY ALL"
        return {file: Content(*content) for file, *content in self.connection.execute(rows).fetchall()}

    def _of_each_schema(self, files: str) -> list[int]:
        """Return a file of each schema there is: with them, any others have the columns and types of all."""
        columns = "{'name': name, 'kind': duckdb_type, 'members': num_children}"
        schemas = f"SELECT file_name, list({columns} ORDER BY column_id) AS s FROM parquet_schema({files}) GROUP BY ALL"
        found = self.connection.execute(f"SELECT max(file_name) FROM ({schemas}) GROUP BY s").fetchall()
        place = {str(file): number for number, file in enumerate(self._files)}
        return sorted(place[name] for (name,) in found)

    def _narrow(self, cursor: Any, extent: Extent) -> None:
        """Lay a view of some files only before that of all."""
        part = self.files.of(extent)
        if len(part) + len(self._examples) < len(self._files):
            cursor.execute(f"CREATE TEMP VIEW events AS {self._selection(part, self.files.size, self._examples)}")

    def _selection(self, part: range, size: int, examples: Sequence[int] = ()) -> str:
        """Return the SELECT of the events of some files; of the examples, only the schema is of interest."""
        others = [number for number in examples if number not in part]
        source = _source(_listed([self._files[number] for number in (*part, *others)]))
        where = f" WHERE file_index < {len(part):d}" if others else ""
        number = f"((file_index::BIGINT + {part.start:d}) * {size:d}) + file_row_number"
        return f"SELECT {number} AS seq, {self._columns} FROM {source}{where}"

    def _time(self, found: Sequence[Leaf]) -> str:
        time = time_of(found)
        paths = [leaf.path for leaf in found]
        if time is None or not any(path in KNOWN for path in paths):
            lacks = f"a time ({', '.join(TIMES)})" if time is None else f"any of {', '.join(KNOWN)}"
            shown = ", ".join(paths[:20])
            raise WarehouseError(f"{self._folder} has other columns than events: {lacks} is not among {shown}")
        return time

    def _columns_of(self, found: Sequence[Leaf], time: str) -> str:
        columns = [
            f"coalesce({time}, 0) AS ts",
            f"{body_of(found)} AS body",
            f"lower(concat_ws({quoted(SEPARATOR)}, {', '.join(leaf.words for leaf in found)})) AS words",
            "NULL::MAP(VARCHAR, VARCHAR[]) AS rest",
        ]
        for number, leaf in enumerate(found):
            columns.append(f"{'NULL::VARCHAR' if leaf.is_list else leaf.spelled} AS f{number:d}")
            if leaf.is_list:
                columns.append(f"{leaf.spelled} AS l{number:d}")
        return ", ".join(columns)

    def close(self) -> None:
        """Let go of the files, and of what queries put aside."""
        super().close()
        self._spill.cleanup()


def _listed(files: Sequence[Path]) -> str:
    return f"[{', '.join(quoted(str(file)) for file in files)}]"


def _source(files: str) -> str:
    return f"read_parquet({files}, union_by_name = true, hive_partitioning = false)"
