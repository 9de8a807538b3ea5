"""Events that Datadog's Export Pipelines wrote as gzipped JSON: no engine looks into such files, they are read once."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

from dd_pa.emulator.search.facets import Facet
from dd_pa.emulator.warehouse.database import WarehouseError
from dd_pa.emulator.warehouse.export_columns import HOLDER, KNOWN, TIMES
from dd_pa.emulator.warehouse.table_row import Event
from dd_pa.emulator.warehouse.warehouse import Warehouse

PATTERN = "dt=*/hour=*/archive_*.json.gz"
_AT_ONCE = 20_000
_PATIENCE = 600.0
_KNOWN = [Facet(path) for path in KNOWN]


class JsonExport(Warehouse):
    """A temporary table of all lines of the files; takes no other events, and forgets none."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        """Read all of it: minutes for a million events. Raises WarehouseError for files of something else."""
        super().__init__(None, clock)
        lines = (line for file in sorted(folder.rglob(PATTERN)) for line in _lines(file))
        with ExitStack() as undone:
            undone.callback(self.close)
            while batch := list(islice(lines, _AT_ONCE)):
                super().put(batch)
                self.catalogue(_PATIENCE)
            undone.pop_all()
        self.former = self.next - 1

    def put(self, events: Sequence[Event]) -> NoReturn:
        """Raise WarehouseError."""
        raise WarehouseError("this emulator only reads")

    def clear(self) -> None:
        """Forget nothing: the files are not ours."""


def _lines(file: Path) -> Iterator[Event]:
    try:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _event(line, f"{file}, line {number}")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise WarehouseError(f"{file} cannot be read: {error}") from None


def _event(line: str, where: str) -> Event:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise WarehouseError(f"{where} is not JSON") from None
    if not isinstance(found, dict):
        raise WarehouseError(f"{where} is no JSON object")
    own = found.pop(HOLDER, {})
    body = {**found, **own} if isinstance(own, dict) else {**found, HOLDER: own}
    told = next((body[name] for name in TIMES if body.get(name) is not None), None)
    at = _time(told)
    if at is None or not any(facet.values(body) for facet in _KNOWN):
        lacks = f"a time ({', '.join(TIMES)})" if at is None else f"any of {', '.join(KNOWN)}"
        raise WarehouseError(f"{where} holds another thing than an event: {lacks} is not among {', '.join(body)[:200]}")
    return Event(ts=at, body=body)


def _time(told: Any) -> int | None:
    """Return a time in epoch milliseconds: given as such, or as ISO 8601, which is UTC where it names no zone."""
    if isinstance(told, int) and not isinstance(told, bool):
        return max(0, told)
    try:
        moment = datetime.fromisoformat(told) if isinstance(told, str) else None
    except ValueError:
        return None
    if moment is None:
        return None
    return max(0, round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000))
