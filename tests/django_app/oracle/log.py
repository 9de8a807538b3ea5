"""What triggers of the database say was committed, whoever wrote it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connections, models

from tests.django_app.oracle.models import SAID, Item

FIELDS = ("status", "total", "data", "at", "owner", "keeper", "stock")
TABLE = "change_log"

_FIELDS: list[Any] = [Item._meta.get_field(name) for name in dict.fromkeys((*FIELDS, *SAID))]
_COLUMNS: dict[str, str] = {field.name: field.column for field in _FIELDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One change of one row."""

    number: int
    table: str
    kind: str
    old: dict[str, str]
    new: dict[str, str]


class ChangeLog:
    """The log of one database."""

    def __init__(self, using: str) -> None:
        self.using = using
        self._tables: dict[str, dict[str, str]] = {
            Item._meta.db_table: {"id": "id", **_COLUMNS},
            **{model._meta.db_table: _ends_of(model) for model in (Item.tags.through, Item.peers.through)},
        }

    def install(self) -> None:
        """Make the log's table and the triggers that write it."""
        vendor = connections[self.using].vendor
        serial = {"postgresql": "bigserial PRIMARY KEY", "mysql": "bigint AUTO_INCREMENT PRIMARY KEY"}
        number = serial.get(vendor, "integer PRIMARY KEY AUTOINCREMENT")
        with connections[self.using].cursor() as cursor:
            cursor.execute(f"CREATE TABLE {TABLE} (n {number}, tbl text, op text, was text, became text)")
            for table, columns in self._tables.items():
                for kind in ("INSERT", "UPDATE", "DELETE"):
                    for statement in _trigger(vendor, table, columns, kind):
                        cursor.execute(statement)

    def last(self) -> int:
        """Return the number of the newest entry."""
        with connections[self.using].cursor() as cursor:
            cursor.execute(f"SELECT coalesce(max(n), 0) FROM {TABLE}")  # noqa: S608 - a table's name
            return int(cursor.fetchone()[0])

    def entries(self) -> Iterator[Entry]:
        """Read all, in their order."""
        with connections[self.using].cursor() as cursor:
            cursor.execute(f"SELECT n, tbl, op, was, became FROM {TABLE} ORDER BY n")  # noqa: S608 - as above
            for number, table, kind, was, became in cursor.fetchall():
                old, new = (json.loads(text) if text else {} for text in (was, became))
                yield Entry(number=number, table=table, kind=kind, old=old, new=new)

    def clear(self) -> None:
        """Forget everything."""
        with connections[self.using].cursor() as cursor:
            cursor.execute(f"DELETE FROM {TABLE}")  # noqa: S608 - as above


def _ends_of(through: type[models.Model]) -> dict[str, str]:
    """Return the two columns of a table between."""
    ends: list[Any] = [field.column for field in through._meta.fields if field.remote_field is not None]
    return {"item": ends[0], "other": ends[1]}


def _trigger(vendor: str, table: str, columns: dict[str, str], kind: str) -> Iterator[str]:
    old = "NULL" if kind == "INSERT" else _object(vendor, "OLD", columns)
    new = "NULL" if kind == "DELETE" else _object(vendor, "NEW", columns)
    insert = f"INSERT INTO {TABLE} (tbl, op, was, became) VALUES ('{table}', '{kind}', {old}, {new});"  # noqa: S608
    name = f"log_{table}_{kind}".lower()
    if vendor == "postgresql":
        yield f"CREATE FUNCTION {name}() RETURNS trigger AS $$ BEGIN {insert} RETURN NULL; END $$ LANGUAGE plpgsql"
        yield f"CREATE TRIGGER {name} AFTER {kind} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
    else:
        yield f"CREATE TRIGGER {name} AFTER {kind} ON {table} FOR EACH ROW BEGIN {insert} END"


def _object(vendor: str, row: str, columns: dict[str, str]) -> str:
    """Return SQL for a JSON object of texts."""
    function, text = {
        "postgresql": ("json_build_object", "text"),
        "mysql": ("json_object", "char"),
        "sqlite": ("json_object", "text"),
    }[vendor]
    pairs = ", ".join(f"'{name}', CAST({row}.{column} AS {text})" for name, column in columns.items())
    return f"{function}({pairs})"
