"""The outbox in a database of SQLAlchemy 2: a table for your own metadata, and who writes to it and delivers from it.

outbox = outbox_table(Base.metadata)                     # Alembic sees it like your own tables
event = emitter.integration.build("order.placed", {"total": 42})     # who acted is known now
if event is not None:
    add(session, event, outbox)                          # committed, or rolled back, with the session
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    and_,
    case,
    cast,
    delete,
    event,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.orm import Session

from dd_pa.capture.attributes import MAX_BYTES
from dd_pa.capture.event import BuiltEvent
from dd_pa.outbox.low_water_mark import LowWater
from dd_pa.outbox.table import Counts
from dd_pa.outbox.table_columns import STORAGE, chunks, columns
from dd_pa.store.event_queue import Row
from dd_pa.store.record import LAST_MOMENT

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
    from sqlalchemy.orm import scoped_session

AnySession: TypeAlias = "Connection | Session | scoped_session[Any]"
"""A connection or a session, as it is or scoped."""

AnyAsyncSession: TypeAlias = "AsyncConnection | AsyncSession | async_scoped_session[Any]"

_WAITING: ColumnElement[str] = literal_column("'waiting'")
"""Written out, so that a planner that sees no values finds the partial index."""

_REJECTED: ColumnElement[str] = literal_column("'rejected'")

_MYSQL = ("mysql", "mariadb")

_PARTIAL: Any = ("postgresql", "sqlite")
"""Databases that can index some of the rows."""


def outbox_table(metadata: MetaData, name: str = "dd_pa_outbox", *, schema: str | None = None) -> Table:
    """Add the outbox's table to your metadata, for `create_all()` or Alembic's `--autogenerate`; returns it.

    It has the columns of Django's, so that deliverers of both can serve one table. `create_all()` gives it the storage
    parameters `dd_pa.outbox.STORAGE` on PostgreSQL; Alembic does not see these.
    """
    number = BigInteger().with_variant(Integer(), "sqlite")  # only its INTEGER counts by itself
    table = Table(
        name,
        metadata,
        Column("id", number, primary_key=True, autoincrement=True),
        Column("event_id", String(32), nullable=False),
        Column("name", String(512), nullable=False),
        Column("occurred_at", BigInteger, nullable=False),
        Column("body", LargeBinary(MAX_BYTES + 1), nullable=False),
        Column("state", String(8), nullable=False, server_default="waiting"),
        Column("claims", Integer, nullable=False, server_default="0"),
        Column("claimed_by", String(80), nullable=False, server_default=""),
        Column("claimed_until", BigInteger, nullable=False, server_default="0"),
        Column("rejected_at", BigInteger),
        Column("reason", String(100), nullable=False, server_default=""),
        Column("detail", String(400), nullable=False, server_default=""),
        schema=schema,
        sqlite_autoincrement=True,  # else it gives ids again, and a deliverer that was slow would delete another row
    )
    _index(table, f"{name}_waiting", _WAITING)
    # Where an index cannot be of some rows only, the first is of all.
    _index(table, f"{name}_rejected", _REJECTED).ddl_if(dialect=_PARTIAL)
    tune: Any = DDL(  # type: ignore[no-untyped-call]
        f"ALTER TABLE %(fullname)s SET ({STORAGE})"
    )
    event.listen(table, "after_create", tune.execute_if(dialect="postgresql"))
    return table


def _index(table: Table, name: str, state: ColumnElement[str]) -> Index:
    rows = table.c.state == state
    return Index(name, table.c.state, table.c.id, postgresql_where=rows, sqlite_where=rows)


def add(session: AnySession, events: BuiltEvent | Sequence[BuiltEvent], table: Table) -> None:
    """Insert events in the transaction of a connection or session: at once, with no flush, many by one `executemany`.

    Raises what the database raises. For async ones there is `aadd`.
    """
    for rows in _rows_of(events):
        session.execute(insert(table).inline(), rows)


def store(session: Session, events: Sequence[BuiltEvent], table: Table) -> None:
    """Insert events in the transaction of a session, or in one of its own where the session has begun none."""
    if session.in_transaction():
        add(session, events, table)
        return
    bind = session.get_bind(clause=table)
    if isinstance(bind, Connection):  # its transaction is somebody else's business
        add(bind, events, table)
        return
    with bind.begin() as connection:
        add(connection, events, table)


async def aadd(session: AnyAsyncSession, events: BuiltEvent | Sequence[BuiltEvent], table: Table) -> None:
    """Do what `add` does, for an async connection or session."""
    for rows in _rows_of(events):
        await session.execute(insert(table).inline(), rows)


def _rows_of(events: BuiltEvent | Sequence[BuiltEvent]) -> Iterator[list[dict[str, Any]]]:
    for chunk in chunks([events] if isinstance(events, BuiltEvent) else events):
        yield [columns(event) for event in chunk]


class SqlAlchemyTable:
    """The outbox of one engine, for a deliverer; see `OutboxTable` for what each call does.

    Where the database can skip locked rows (PostgreSQL, MariaDB from 10.6, MySQL 8, Oracle), deliverers claim side by
    side. Elsewhere a claim is an update that only the first of them wins.
    """

    def __init__(self, engine: Engine, table: Table, *, clock: Callable[[], float] = time.monotonic) -> None:
        # Where others read repeatably or serializably, a deliverer that did too would fail them, or lock them out.
        pinned = engine.dialect.name in ("postgresql", *_MYSQL)
        self._engine = engine.execution_options(isolation_level="READ COMMITTED") if pinned else engine
        self._table = table
        self._water = LowWater(clock)
        self._skips_locked: bool | None = None

    def add(self, events: Sequence[BuiltEvent]) -> None:
        with self._engine.begin() as connection:
            add(connection, events, self._table)

    def claim(self, limit: int, *, owner: str, now: int, until: int) -> list[Row]:
        began, above = self._water.clock(), self._water.above()
        c = self._table.c
        lease = update(self._table).values(claimed_by=owner, claimed_until=until, claims=c.claims + 1)
        free = and_(c.state == _WAITING, c.claimed_until <= now, c.id > above)
        oldest = select(c.id, c.body).where(free).order_by(c.id).limit(limit)
        with self._engine.begin() as connection:
            if self._can_skip(connection):
                rows = _rows(connection, oldest.with_for_update(skip_locked=True))
                if rows:
                    connection.execute(lease.where(c.id.in_([row.id for row in rows])))
            else:
                ids = list(connection.scalars(oldest.with_only_columns(c.id)))
                won = bool(ids) and connection.execute(lease.where(free, c.id.in_(ids))).rowcount
                ours = and_(c.id.in_(ids), c.claimed_by == owner, c.claimed_until == until)
                # SQLite may have a text there, of which not even each can be read as one.
                body = cast(c.body, LargeBinary) if connection.dialect.name == "sqlite" else c.body
                rows = _rows(connection, select(c.id, body).where(ours).order_by(c.id)) if won else []
        self._water.note(rows, above=above, more=len(rows) == limit, began=began)
        return rows

    def _can_skip(self, connection: Connection) -> bool:
        if self._skips_locked is None:
            dialect: Any = connection.dialect
            version = tuple(dialect.server_version_info or ())
            mariadb = getattr(dialect, "is_mariadb", False)
            self._skips_locked = (
                version >= ((10, 6) if mariadb else (8,))
                if dialect.name in _MYSQL
                else dialect.name in ("postgresql", "oracle")
            )
        return self._skips_locked

    def renew(self, ids: Sequence[int], *, owner: str, until: int) -> list[int]:
        c = self._table.c
        mine = and_(c.id.in_(ids), c.claimed_by == owner, c.state == _WAITING)
        with self._engine.begin() as connection:
            connection.execute(update(self._table).where(mine).values(claimed_until=until))
            return list(connection.scalars(select(c.id).where(mine).order_by(c.id)))

    def release(self, ids: Sequence[int], *, owner: str) -> None:
        c = self._table.c
        mine = and_(c.id.in_(ids), c.claimed_by == owner)
        self._run(update(self._table).where(mine).values(claimed_by="", claimed_until=0))
        self._water.lower(min(ids, default=1) - 1)

    def settle(self, ids: Sequence[int]) -> None:
        self._run(delete(self._table).where(self._table.c.id.in_(ids)))

    def reject(self, ids: Sequence[int], *, reason: str, detail: str, now: int) -> None:
        kept = {"state": "rejected", "reason": reason, "detail": detail, "rejected_at": now}
        self._run(update(self._table).where(self._table.c.id.in_(ids)).values(claimed_by="", claimed_until=0, **kept))

    def prune(self, before: int, *, batch: int = 1000) -> int:
        c = self._table.c
        old, deleted, last = and_(c.state == _REJECTED, c.rejected_at < before), 0, 0
        while ids := self._ids(select(c.id).where(old, c.id > last).order_by(c.id).limit(batch)):
            deleted += self._run(delete(self._table).where(old, c.id.in_(ids)))
            last = ids[-1]
        return deleted

    def _ids(self, query: Select[int]) -> list[int]:
        with self._engine.connect() as connection:
            return list(connection.scalars(query))

    def counts(self, now: int) -> Counts:
        c = self._table.c
        waits, rejected = c.state == _WAITING, c.state == _REJECTED
        conditions = (and_(waits, c.claimed_until <= now), and_(waits, c.claimed_until > now), rejected)
        numbers = [func.count(case((condition, c.id))) for condition in conditions]
        with self._engine.connect() as connection:
            return Counts._make(connection.execute(select(*numbers)).one())

    def oldest(self) -> int | None:
        c = self._table.c
        sane = and_(c.state == _WAITING, c.occurred_at.between(0, LAST_MOMENT))
        found = self._ids(select(c.occurred_at).where(sane).order_by(c.id).limit(1))
        return found[0] if found else None

    def _run(self, statement: Any) -> int:
        with self._engine.begin() as connection:
            return int(connection.execute(statement).rowcount)

    def reset(self) -> None:
        """Nothing is kept: the engine's pool drops a connection that was lost."""


def _rows(connection: Connection, query: Select[int, bytes]) -> list[Row]:
    return [Row(row_id, bytes(body)) for row_id, body in connection.execute(query)]
