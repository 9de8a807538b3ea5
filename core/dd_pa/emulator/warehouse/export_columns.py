"""The columns of exported events as those of the table: which facet each tells, and how its values are spelled.

Datadog documents one row for each event with typed columns, but not their names: any are taken, by their paths.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from dd_pa.emulator.search.predicates import SEPARATOR

TIMES = ("timestamp", "@timestamp", "date", "time", "ts")
"""Columns that may say when an event was, the first that is there."""
KNOWN = ("event.name", "type", "usr.id", "account.id", "session.id", "view.name")
"""What some column must be about, else the files hold something else."""
HOLDER = "attributes"
"""A column whose members are the event's own."""
_INTEGERS = ("bigint", "ubigint", "integer", "uinteger", "hugeint")
_NUMBERS = (*_INTEGERS, "tinyint", "smallint", "utinyint", "usmallint", "float", "double", "decimal", "uhugeint")


class Leaf(NamedTuple):
    """One value of an event, or a list of them."""

    path: str
    sql: str
    kind: str
    """DuckDB's type, of an element where it is a list."""
    is_list: bool

    @property
    def spelled(self) -> str:
        """Return its values with their type in front, as a column."""
        if self.is_list:
            known = f"list_filter({self.sql}, lambda x: x IS NOT NULL)"
            return f"list_transform({known}, lambda x: {_spelled('x', self.kind)})"
        return _spelled(self.sql, self.kind)

    @property
    def words(self) -> str:
        """Return its values as one text."""
        return f"array_to_string({self.sql}, {quoted(SEPARATOR)})" if self.is_list else f"{self.sql}::VARCHAR"


def quoted(text: str) -> str:
    """Return a text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def leaves(columns: Sequence[tuple[str, Any]]) -> list[Leaf]:
    """Return what columns (name and type) tell, each path once."""
    found: dict[str, Leaf] = {}
    for name, kind in columns:
        column = '"' + name.replace('"', '""') + '"'
        path = "" if name == HOLDER and kind.id == "struct" else name.removeprefix("@")
        for leaf in _within(column, path, kind, is_list=False):
            same = found.setdefault(leaf.path, leaf)
            if same is not leaf and same[2:] == leaf[2:]:
                # Files may tell it in different ways.
                found[leaf.path] = leaf._replace(sql=f"coalesce({same.sql}, {leaf.sql})")
    return list(found.values())


def _within(sql: str, path: str, kind: Any, *, is_list: bool) -> Iterator[Leaf]:
    if kind.id == "struct":
        for name, child in kind.children:
            member = f"struct_extract({{}}, {quoted(name)})"
            inner = f"list_transform({sql}, lambda x: {member.format('x')})" if is_list else member.format(sql)
            yield from _within(inner, f"{path}.{name}" if path else name, child, is_list=is_list)
    elif kind.id == "list" and not is_list:
        yield from _within(sql, path, kind.children[0][1], is_list=True)
    elif path:
        yield Leaf(path, sql, kind.id, is_list)


def _spelled(sql: str, kind: str) -> str:
    if kind in _NUMBERS:
        return f"'n' || {sql}::{'VARCHAR' if kind != 'decimal' else 'DOUBLE::VARCHAR'}"
    if kind == "boolean":
        return f"'b' || {sql}"
    if kind.startswith("timestamp"):
        return f"'s' || strftime(make_timestamp(epoch_us({sql})), '%Y-%m-%dT%H:%M:%S.%gZ')"
    return f"'s' || {sql}::VARCHAR"


def time_of(found: Sequence[Leaf]) -> str | None:
    """Return the time of an event in epoch milliseconds; None where no column tells it."""
    by_path = {leaf.path: leaf for leaf in found if not leaf.is_list}
    for name in TIMES:
        leaf = by_path.get(name.removeprefix("@"))
        if leaf is None:
            continue
        if leaf.kind in _INTEGERS:
            return f"{leaf.sql}::BIGINT"
        if leaf.kind.startswith("timestamp"):
            return f"epoch_ms({leaf.sql})"
        if leaf.kind == "varchar":
            return f"epoch_ms(try_cast({leaf.sql} AS TIMESTAMP))"
    return None


def body_of(found: Sequence[Leaf]) -> str:
    """Return an event as JSON, its members in each other as their paths say, without those that it has not."""
    return f"json_merge_patch('{{}}', to_json({_struct(_tree(found))}))::VARCHAR"


def _tree(found: Sequence[Leaf]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for leaf in found:
        holder, names = tree, leaf.path.split(".")
        for name in names[:-1]:
            inner = holder.setdefault(name, {})
            if not isinstance(inner, dict):
                break
            holder = inner
        else:
            holder.setdefault(names[-1], leaf.sql)
    return tree


def _struct(tree: dict[str, Any]) -> str:
    members = (
        f"{quoted(name)}: {_struct(inner) if isinstance(inner, dict) else inner}" for name, inner in tree.items()
    )
    return "{" + ", ".join(members) + "}"
