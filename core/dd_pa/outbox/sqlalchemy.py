"""The outbox in a database of SQLAlchemy 2: a table for your own metadata, and who writes to it and delivers from it.

outbox = outbox_table(Base.metadata)                     # Alembic sees it like your own tables
event = emitter.build("order.placed", {"total": 42})     # who acted is known now
if event is not None:
    add(session, event, outbox)                          # committed, or rolled back, with the session
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Index,
    Insert,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    and_,
    case,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.orm import Session

from dd_pa.capture.attributes import MAX_BYTES
from dd_pa.capture.event import Event
from dd_pa.outbox.table import Counts, Row

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
    from sqlalchemy.orm import scoped_session

AnySession: TypeAlias = "Connection | Session | scoped_session[Any]"
"""A connection or a session, as it is or scoped."""

AnyAsyncSession: TypeAlias = "AsyncConnection | AsyncSession | async_scoped_session[Any]"

_WAITING: ColumnElement[str] = literal_column("'waiting'")
"""Written out, so that a planner that sees no values finds the partial index."""

_MYSQL = ("mysql", "mariadb")


def outbox_table(metadata: MetaData, name: str = "dd_pa_outbox", *, schema: str | None = None) -> Table:
    """Add the outbox's table to your metadata, for `create_all()` or Alembic's `--autogenerate`; returns it.

    It has the columns of Django's, so that deliverers of both can serve one table.
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
    )
    waiting = table.c.state == _WAITING
    Index(f"{name}_waiting", table.c.state, table.c.id, postgresql_where=waiting, sqlite_where=waiting)
    return table


def add(session: AnySession, event: Event, table: Table) -> None:
    """Insert an event in the transaction of a connection or session: one statement, at once, with no flush.

    Raises what the database raises. For async ones there is `aadd`.
    """
    session.execute(_insertion(event, table))


def store(session: Session, event: Event, table: Table) -> None:
    """Insert an event in the transaction of a session, or in one of its own where the session has begun none."""
    if session.in_transaction():
        add(session, event, table)
        return
    bind = session.get_bind(clause=table)
    if isinstance(bind, Connection):  # its transaction is somebody else's business
        add(bind, event, table)
        return
    with bind.begin() as connection:
        add(connection, event, table)


async def aadd(session: AnyAsyncSession, event: Event, table: Table) -> None:
    """Do what `add` does, for an async connection or session."""
    await session.execute(_insertion(event, table))


def _insertion(event: Event, table: Table) -> Insert:
    values = {"event_id": event.id, "name": event.name, "occurred_at": event.occurred_at, "body": event.body}
    return insert(table).values(values).inline()


class SqlAlchemyTable:
    """The outbox of one engine, for a deliverer; see `OutboxTable` for what each call does.

    Where the database can skip locked rows (PostgreSQL, MariaDB from 10.6, MySQL 8, Oracle), deliverers claim side by
    side. Elsewhere a claim is an update that only the first of them wins.
    """

    def __init__(self, engine: Engine, table: Table) -> None:
        # What MySQL repeats for a reader, it locks against writers: inserts would wait for claims.
        is_mysql = engine.dialect.name in _MYSQL
        self._engine = engine.execution_options(isolation_level="READ COMMITTED") if is_mysql else engine
        self._table = table
        self._skips_locked: bool | None = None

    def claim(self, limit: int, *, owner: str, now: int, until: int) -> list[Row]:
        c = self._table.c
        lease = update(self._table).values(claimed_by=owner, claimed_until=until, claims=c.claims + 1)
        free = and_(c.state == _WAITING, c.claimed_until <= now)
        oldest = select(c.id, c.body).where(free).order_by(c.id).limit(limit)
        with self._engine.begin() as connection:
            if self._can_skip(connection):
                found = _rows(connection, oldest.with_for_update(skip_locked=True))
                if found:
                    connection.execute(lease.where(c.id.in_([row.id for row in found])))
                return found
            ids = list(connection.scalars(oldest.with_only_columns(c.id)))
            if not ids or not connection.execute(lease.where(free, c.id.in_(ids))).rowcount:
                return []
            ours = and_(c.id.in_(ids), c.claimed_by == owner, c.claimed_until == until)
            return _rows(connection, select(c.id, c.body).where(ours).order_by(c.id))

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

    def renew(self, ids: Sequence[int], *, owner: str, until: int) -> None:
        c = self._table.c
        mine = and_(c.id.in_(ids), c.claimed_by == owner)
        self._run(update(self._table).where(mine).values(claimed_until=until))

    def release(self, ids: Sequence[int], *, owner: str) -> None:
        c = self._table.c
        mine = and_(c.id.in_(ids), c.claimed_by == owner)
        self._run(update(self._table).where(mine).values(claimed_by="", claimed_until=0))

    def settle(self, ids: Sequence[int]) -> None:
        self._run(delete(self._table).where(self._table.c.id.in_(ids)))

    def reject(self, ids: Sequence[int], *, reason: str, detail: str, now: int) -> None:
        kept = {"state": "rejected", "reason": reason, "detail": detail, "rejected_at": now}
        self._run(update(self._table).where(self._table.c.id.in_(ids)).values(claimed_by="", claimed_until=0, **kept))

    def prune(self, before: int) -> int:
        """Delete the dead letters that were rejected before a time, in epoch milliseconds; return how many."""
        c = self._table.c
        return self._run(delete(self._table).where(c.state == "rejected", c.rejected_at < before))

    def counts(self, now: int) -> Counts:
        c = self._table.c
        waits, rejected = c.state == _WAITING, c.state == "rejected"
        conditions = (and_(waits, c.claimed_until <= now), and_(waits, c.claimed_until > now), rejected)
        numbers = [func.count(case((condition, c.id))) for condition in conditions]
        with self._engine.connect() as connection:
            return Counts._make(connection.execute(select(*numbers)).one())

    def _run(self, statement: Any) -> int:
        with self._engine.begin() as connection:
            return int(connection.execute(statement).rowcount)

    def reset(self) -> None:
        """Nothing is kept: the engine's pool drops a connection that was lost."""


def _rows(connection: Connection, query: Select[int, bytes]) -> list[Row]:
    return [Row(row_id, bytes(body)) for row_id, body in connection.execute(query)]
