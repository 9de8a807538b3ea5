"""What events of models cost the ORM, beside libraries that note row changes: `python -m benchmarks.model_events`."""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

from benchmarks import child
from benchmarks.report import Aim, Section, Table, aims, run
from dd_pa import identify

TEXT = """\
The same table once for each library, on the same database, in one process, in turns: the best of some rounds of each.
*Save*: one `save()` at a time, each committing by itself, on instances that were loaded. `update()` sets the status of
so many rows at once. dd-pa follows the status and sends two columns, into the spool (delivered by another process) or
into the outbox, which is a table of the same database. django-auditlog follows the status, django-simple-history and
django-pghistory copy whole rows; simple-history's `bulk_create_with_history` is used where the others have
`bulk_create`. A dash: nothing of it is written down. The second table is a flush of SQLAlchemy's session.
"""
PEERS = ("dd-pa", "django", "django-auditlog", "django-simple-history", "django-pghistory", "sqlalchemy")
SAVES, LOADED = 100, 1_000
PLAIN, OURS = "plain Django", "dd-pa"

Times = Mapping[str, Mapping[str, float]]
"""Microseconds of one row, by operation and library."""

_ticks = count()


class Orders:
    """The operations on the table of one library. Each returns the microseconds that it took, of one row or in all."""

    def __init__(self, library: str, rows: int) -> None:
        from benchmarks.rows.models import MODELS

        self.library = library
        self.model = MODELS[library]
        self.base = self.model._base_manager
        self.model._base_manager.bulk_create([self.model() for _ in range(rows)], batch_size=1_000)
        self.keys = list(self.base.order_by("pk").values_list("pk", flat=True))

    def load(self) -> float:
        return _timed(lambda: list(self.base.filter(pk__lte=self.keys[LOADED - 1]))) / LOADED

    def save_changed(self) -> float:
        return self._save(status=f"s{next(_ticks)}")

    def save_unchanged(self) -> float:
        return self._save()

    def _save(self, **values: str) -> float:
        found = list(self.base.filter(pk__lte=self.keys[SAVES - 1]))
        for item in found:
            vars(item).update(values)
        return _timed(lambda: [item.save() for item in found]) / SAVES

    def update(self, rows: int) -> float:
        status = f"s{next(_ticks)}"
        return _timed(lambda: self.model.objects.filter(pk__lte=self.keys[rows - 1]).update(status=status))

    def create(self, rows: int) -> float:
        from simple_history.utils import bulk_create_with_history

        made = [self.model() for _ in range(rows)]
        if hasattr(self.model, "history"):
            took = _timed(lambda: bulk_create_with_history(made, self.model, batch_size=1_000))
        else:
            took = _timed(lambda: self.model.objects.bulk_create(made, batch_size=1_000))
        self.base.filter(pk__gt=self.keys[-1])._raw_delete("default")
        return took


def _operations(small: bool) -> Iterator[tuple[str, int, Callable[[Orders], float], frozenset[str]]]:
    """Yield each with the rounds that it is worth, and who writes nothing down of it."""
    some, few = (1, 1) if small else (12, 3)
    deaf = frozenset({"django-auditlog", "django-simple-history"})
    yield "load 1,000, each", some, Orders.load, frozenset()
    yield "save, changed", some, Orders.save_changed, frozenset()
    yield "save, unchanged", some, Orders.save_unchanged, frozenset()
    yield "update() of 1", some, lambda orders: orders.update(1), deaf
    yield "update() of 1,000", some, lambda orders: orders.update(1_000), deaf
    yield "update() of 20,000", few, lambda orders: orders.update(1_000 if small else 20_000), deaf
    yield "bulk_create of 1,000", some, lambda orders: orders.create(1_000), deaf - {"django-simple-history"}
    yield (
        "bulk_create of 10,000",
        few,
        lambda orders: orders.create(1_000 if small else 10_000),
        deaf - {"django-simple-history"},
    )


def _timed(call: Callable[[], object]) -> float:
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter_ns()
        call()
        return (time.perf_counter_ns() - start) / 1_000
    finally:
        gc.enable()


def measure_django(kind: str, outbox: bool, small: bool) -> dict[str, dict[str, float]]:
    """Return the best times of each operation, in a fresh process; `outbox`: of plain Django and ours only."""
    from benchmarks.rows.site import project

    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as directory, project(kind, directory, outbox=outbox), identify(usr="u-1"):
        from benchmarks.rows.models import MODELS

        libraries = [name for name in MODELS if not outbox or name in (PLAIN, OURS)]
        tables = [Orders(name, 2_000 if small else 20_000) for name in libraries]
        for operation, rounds, run_on, deaf in _operations(small):
            hearing = [table for table in tables if table.library not in deaf]
            times = [{table.library: run_on(table) for table in hearing} for _ in range(rounds)]
            found[operation] = {name: min(each[name] for each in times) for name in times[0]}
    return found


def measure_sqlalchemy(small: bool) -> dict[str, dict[str, float]]:
    """Return the best times of a session's operations on a database in memory, in a fresh process."""
    from benchmarks.rows.mapped import Sessions

    rounds = 1 if small else 12
    with tempfile.TemporaryDirectory() as directory, identify(usr="u-1"):
        tables = {name: Sessions(model, directory) for name, model in Sessions.models(directory).items()}
        operations: dict[str, Callable[[Sessions], float]] = {
            "load 1,000, each": lambda table: table.load(_timed),
            "flush of 100 changed, each": lambda table: table.change(_timed, f"s{next(_ticks)}"),
            "flush of 1,000 new, each": lambda table: table.create(_timed),
        }
        found = {}
        for operation, run_on in operations.items():
            times = [{name: run_on(table) for name, table in tables.items()} for _ in range(rounds)]
            found[operation] = {name: min(each[name] for each in times) for name in times[0]}
    return found


def _table(title: str, found: Times, plain: str) -> Table:
    others = [name for name in dict.fromkeys(name for times in found.values() for name in times) if name != plain]
    rows = [
        [operation, f"{times[plain]:,.1f}", *(_ratio(times, name, plain) for name in others)]
        for operation, times in found.items()
    ]
    return Table(title=title, columns=["", f"{plain}, µs", *(f"× {name}" for name in others)], rows=rows)


def _ratio(times: Mapping[str, float], name: str, plain: str) -> str:
    return f"{times[name] / times[plain]:.2f}" if name in times else "–"


def _aims(where: str, found: Times, outbox: bool) -> Iterator[Aim]:
    limits = {"bulk_create of 10,000": 3.0 if outbox else 2.0}
    if not outbox:
        limits |= {"save, unchanged": 1.1, "save, changed": 1.5, "update() of 20,000": 5.0}
        more = found["load 1,000, each"][OURS] - found["load 1,000, each"][PLAIN]
        yield Aim(f"{where}: load, each", "≤ 5 µs more", f"{more:.1f} µs more", more <= 5)
    for operation, limit in limits.items():
        ratio = found[operation][OURS] / found[operation][PLAIN]
        yield Aim(f"{where}: {operation}", f"≤ {limit} ×", f"{ratio:.2f} ×", ratio <= limit)


def benchmark(small: bool) -> Section:
    tables: list[Table] = []
    all_aims: list[Aim] = []
    for kind, outbox in (("SQLite", False), ("PostgreSQL", False), ("PostgreSQL", True)):
        where = f"{kind}, {'outbox' if outbox else 'spool'}"
        found: Any = child.call("benchmarks.model_events", kind, outbox, small)
        tables.append(_table(where, found, PLAIN))
        all_aims += _aims(where, found, outbox)
    found = child.call("benchmarks.model_events", "SQLAlchemy", False, small)
    tables.append(_table("SQLAlchemy on SQLite, spool", found, "plain SQLAlchemy"))
    return Section(name="model_events", text=TEXT, tables=[*tables, aims(*all_aims)], distributions=PEERS)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        kind, outbox, small = sys.argv[1], sys.argv[2] == "True", sys.argv[3] == "True"
        child.answer(measure_sqlalchemy(small) if kind == "SQLAlchemy" else measure_django(kind, outbox, small))
    else:
        run(benchmark)
