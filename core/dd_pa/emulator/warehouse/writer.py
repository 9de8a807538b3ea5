"""Batches of events into the table, each one transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dd_pa.emulator.warehouse.database import Database
from dd_pa.emulator.warehouse.event_expiry import forget_old
from dd_pa.emulator.warehouse.table_row import Event, TableRow, table_row_of
from dd_pa.emulator.warehouse.views import Views

_ROWS_BETWEEN_SWEEPS = 50_000


class Writer:
    """Appends. Not safe to use from several threads at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._views = Views(self._find_view)
        [(last,)] = database.connection.execute("SELECT max(seq) FROM events").fetchall()
        self.last: int = last or 0
        """Number of the last event that was in the table when this was made."""
        self._unswept = 0

    def write(self, first: int, events: Sequence[Event], now_ms: int) -> None:
        """Append a batch, numbered from `first` on; versions of views replace their former rows.

        Raises WarehouseError; use another one then.
        """
        with self._database.writing() as connection:
            rows, gone = self._rows_of(first, events)
            self._add_columns([row[3] for row in rows])
            if gone:
                connection.execute("DELETE FROM events WHERE seq IN (SELECT unnest(?::BIGINT[]))", [gone])
            if rows:
                self._append(rows)
        self._unswept += len(rows)
        if self._unswept >= _ROWS_BETWEEN_SWEEPS:
            self.sweep(now_ms)

    def _rows_of(self, first: int, events: Sequence[Event]) -> tuple[list[tuple[int, int, str, TableRow]], list[int]]:
        """Return (seq, ts, body, table_row) of the rows to add, and the seqs of the rows to take away."""
        views: dict[str, tuple[int, Event]] = {}
        rows: list[tuple[int, int, str, TableRow]] = []
        for seq, event in enumerate(events, first):
            if event.view_id is None:
                rows.append(_row(seq, event))
                continue
            body = self._views.take(event.view_id, event.body)
            if body is not None:
                views[event.view_id] = seq, Event(ts=event.ts, body=body, user_agent=event.user_agent)
        gone = []
        for view_id, (seq, event) in views.items():
            rows.append(_row(seq, event))
            before = self._views.moved(view_id, rows[-1][0])
            if before is not None:
                gone.append(before)
        return rows, gone

    def _add_columns(self, flats: Sequence[TableRow]) -> None:
        seen: dict[str, bool] = {}
        for found in flats:
            for path, value in found.facets.items():
                if isinstance(value, list) or path not in seen:
                    seen[path] = seen.get(path, False) or isinstance(value, list)
        connection, catalogue = self._database.connection, self._database.catalogue
        singles, lists = catalogue.missing(seen)
        for path, number in singles:
            connection.execute(f"ALTER TABLE events ADD COLUMN f{number:d} VARCHAR")
            connection.execute("INSERT INTO facets VALUES (?, ?, false)", [path, number])
        for path, number in lists:
            connection.execute(f"ALTER TABLE events ADD COLUMN l{number:d} VARCHAR[]")
            connection.execute("UPDATE facets SET listed = true WHERE path = ?", [path])
        catalogue.add(singles, lists)

    def _append(self, rows: Sequence[tuple[int, int, str, TableRow]]) -> None:
        columns: dict[str, list[Any]] = {}
        rest: list[dict[str, list[str]]] = [{} for _ in rows]
        for index, row in enumerate(rows):
            for path, value in row[3].facets.items():
                single, several = self._database.catalogue.place(path)
                if single is None:
                    rest[index][path] = value if isinstance(value, list) else [value]
                    continue
                name = several if several is not None and isinstance(value, list) else single
                column = columns.get(name)
                if column is None:
                    column = columns[name] = [None] * len(rows)
                column[index] = value
        self._insert(rows, columns, rest if any(rest) else None)

    def _insert(
        self, rows: Sequence[tuple[int, int, str, TableRow]], columns: dict[str, list[Any]], rest: list[Any] | None
    ) -> None:
        values: list[object] = [[row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]]
        values.append([row[3].words for row in rows])
        names = ["seq", "ts", "body", "words", *columns]
        types = ["BIGINT[]", "BIGINT[]", "VARCHAR[]", "VARCHAR[]"]
        types += ["VARCHAR[][]" if name.startswith("l") else "VARCHAR[]" for name in columns]
        values += columns.values()
        if rest is not None:
            names.append("rest")
            types.append("MAP(VARCHAR, VARCHAR[])[]")
            values.append([{"key": list(some), "value": list(some.values())} for some in rest])
        marks = ", ".join(f"unnest(?::{kind})" for kind in types)
        self._database.connection.execute(f"INSERT INTO events ({', '.join(names)}) SELECT {marks}", values)

    def _find_view(self, view_id: str) -> tuple[int, dict[str, Any]] | None:
        place = self._database.catalogue.place("view.id")
        kind = self._database.catalogue.place("type")
        found = self._database.connection.execute(
            f"SELECT seq, body FROM events WHERE {place.single} = ? AND {kind.single} = 'sview' LIMIT 1",
            ["s" + view_id],
        ).fetchone()
        return None if found is None else (found[0], json.loads(found[1]))

    def sweep(self, now_ms: int) -> None:
        """Forget what is too old, or too much."""
        forget_old(self._database, now_ms)
        self._unswept = 0

    def clear(self) -> None:
        """Forget all."""
        self._database.catalogue = self._database.create_tables()
        self._views.clear()
        self._unswept = 0


def _row(seq: int, event: Event) -> tuple[int, int, str, TableRow]:
    body = json.dumps(event.body, ensure_ascii=False, separators=(",", ":"), check_circular=False)
    return seq, event.ts, body, table_row_of(event)
