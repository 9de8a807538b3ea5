"""Events leave with the commit that made them true, and with no other."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, func, select, text
from sqlalchemy.event import listen
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from dd_pa import Emitter
from dd_pa.sqlalchemy import submit_on_commit
from tests.sqlalchemy_models import databases, shop
from tests.sqlalchemy_models.conftest import Events
from tests.sqlalchemy_models.shop import Order, Parcel, SilentParcel

POSTGRES_ONLY = pytest.mark.parametrize("address", ["postgresql"], indirect=True)
"""SQLite checks nothing as late as at the commit, and lets one session write at a time."""


def totals(happened: Events) -> list[int]:
    return sorted(event["order"]["total"] for event in happened() if event["name"] == "order.placed")


def rows(session: Session) -> list[int]:
    return sorted(session.scalars(select(Order.total)))


def place(session: Session, total: int, **values: Any) -> None:
    session.add(Order(total=total, **values))
    session.flush()


def test_event_leaves_with_the_commit(session: Session, happened: Events, emitter: Emitter) -> None:
    """Not with the flush, and not with the start of the next transaction."""
    place(session, 1)
    assert emitter.stats().queued == 0

    session.commit()

    assert totals(happened) == rows(session) == [1]


@pytest.mark.parametrize("end", ["rollback", "close", "reset", "invalidate"])
def test_event_vanishes_without_a_commit(session: Session, happened: Events, end: str) -> None:
    """However the transaction ends; the session can be used again."""
    place(session, 1)
    getattr(session, end)()
    place(session, 2)
    session.commit()

    assert totals(happened) == rows(session) == [2]


def test_savepoints(session: Session, happened: Events) -> None:
    """A savepoint's events share the fate of what is around it, unless it is rolled back itself."""
    place(session, 1)
    with session.begin_nested():
        place(session, 2)
        with session.begin_nested():
            place(session, 3)
        undone = session.begin_nested()
        place(session, 4)
        with session.begin_nested():
            place(session, 5)
        undone.rollback()
        place(session, 6)
    session.begin_nested()
    place(session, 7)
    session.rollback()  # of the savepoint's transaction and all around it
    assert totals(happened) == rows(session) == []

    with session.begin_nested():
        place(session, 8)
        with session.begin_nested() as inner:
            place(session, 9)
            inner.rollback()
        place(session, 10)
    session.begin_nested()
    place(session, 11)
    session.commit()  # of both

    assert totals(happened) == rows(session) == [8, 10, 11]


def test_flush_that_fails_takes_its_events_along(session: Session, happened: Events) -> None:
    """In a savepoint it fails alone; without one the whole transaction does."""
    place(session, 1, number=7)
    with pytest.raises(IntegrityError), session.begin_nested():
        session.add_all([Order(total=2), Order(total=3, number=7)])
    place(session, 4)
    session.commit()
    assert totals(happened) == rows(session) == [1, 4]

    place(session, 5)
    session.add(Order(total=6, number=7))
    with pytest.raises(IntegrityError):
        session.commit()
    session.rollback()
    place(session, 7)
    session.commit()

    assert totals(happened) == rows(session) == [1, 4, 7]


@POSTGRES_ONLY
def test_commit_that_fails_sends_nothing(session: Session, happened: Events) -> None:
    """A constraint may be checked as late as that."""
    session.execute(text("ALTER TABLE orders ADD CONSTRAINT late UNIQUE (total) DEFERRABLE INITIALLY DEFERRED"))
    session.commit()
    try:
        session.add_all([Order(total=1), Order(total=1)])
        with pytest.raises(IntegrityError):
            session.commit()
        session.rollback()
        place(session, 2)
        session.commit()
    finally:
        session.execute(text("ALTER TABLE orders DROP CONSTRAINT late"))
        session.commit()

    assert totals(happened) == rows(session) == [2]


def test_begin_blocks(engine: Engine, happened: Events) -> None:
    """`with session.begin()` and `sessionmaker.begin()` commit or roll back as a whole."""
    make = sessionmaker(engine, expire_on_commit=False)
    with make.begin() as session:
        place(session, 1)
    with suppress(LookupError), make.begin() as session:
        place(session, 2)
        raise LookupError
    with make() as session:
        with session.begin():
            place(session, 3)
        place(session, 4)  # and nobody commits

    with make() as session:
        assert totals(happened) == rows(session) == [1, 3]


@POSTGRES_ONLY
def test_sessions_do_not_meet(engine: Engine, happened: Events) -> None:
    """Two sessions of one thread, one of which commits first."""
    with Session(engine) as one, Session(engine) as other:
        place(one, 1)
        place(other, 2)
        other.commit()
        assert totals(happened) == [2]
        one.rollback()

    assert totals(happened) == [2]


def test_session_in_a_transaction_of_somebody_else(engine: Engine, happened: Events) -> None:
    """Its own commit counts, as in tests that roll everything back at their end; docs/sqlalchemy.md says so."""
    with engine.connect() as connection, connection.begin() as outer:
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            place(session, 1)
            session.commit()
            place(session, 2)
            session.rollback()
        outer.rollback()

    assert totals(happened) == [1]


def test_several_engines_in_one_session(engine: Engine, tmp_path: Path, happened: Events) -> None:
    """One commit, one fate."""
    other = databases.sqlite(tmp_path / "other.db")
    Parcel.metadata.create_all(other, tables=[Parcel.metadata.tables["parcels"]])
    binds: dict[Any, Any] = {Order: engine, Parcel: other}
    with Session(binds=binds) as session:
        session.add_all([Order(total=1), Parcel()])
        session.commit()
        session.add_all([Order(total=2), Parcel()])
        session.flush()
        session.rollback()

    assert [event["name"] for event in happened()] == ["order.placed", "parcel.packed"]
    other.dispose()


@pytest.fixture
def mariadb() -> Iterator[Engine]:
    """A database that can commit in two phases, as this machine's PostgreSQL is not configured to."""
    pytest.importorskip("pymysql")
    name = f"dd_pa_flask_{id(object()):x}"
    admin = create_engine("mysql+pymysql://root@127.0.0.1/", connect_args={"connect_timeout": 3})
    try:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
    except OperationalError as error:
        admin.dispose()
        pytest.skip(f"no MariaDB on 127.0.0.1:3306: {error}")
    engine = create_engine(f"mysql+pymysql://root@127.0.0.1/{name}")
    tables = [Parcel.metadata.tables["silent_parcels"], Parcel.metadata.tables["lockers"]]
    Parcel.metadata.create_all(engine, tables=tables)
    yield engine
    engine.dispose()
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name}")
    admin.dispose()


def test_two_phases(mariadb: Engine, happened: Events) -> None:
    """What is prepared is not committed yet, and may still be rolled back."""
    with Session(mariadb, twophase=True) as session:
        session.add(shop.Locker())
        session.prepare()
        assert happened() == []
        session.commit()
        session.add(shop.Locker())
        session.prepare()
        session.rollback()
        session.add_all([shop.Locker(), SilentParcel(state="x", weight=1)])
        session.commit()

        assert len(happened()) == session.scalar(select(func.count()).select_from(shop.Locker)) == 2


def test_event_of_ones_own_on_commit(session: Session, happened: Events, emitter: Emitter) -> None:
    """`submit_on_commit` lets any built event share a session's fate; without a transaction it leaves at once."""

    def submit(name: str) -> bool:
        event = emitter.integration.build(name)
        assert event is not None
        return submit_on_commit(session, emitter, event)

    assert submit("import.begun")
    assert [event["name"] for event in happened()] == ["import.begun"]
    session.begin()
    with session.begin_nested() as savepoint:
        assert submit("import.failed")
        savepoint.rollback()
    assert submit("import.finished")
    assert len(happened()) == 1
    session.commit()

    assert [event["name"] for event in happened()] == ["import.begun", "import.finished"]


def test_scoped_session(engine: Engine, happened: Events, emitter: Emitter) -> None:
    """As Flask-SQLAlchemy's `db.session` is one."""
    scoped = scoped_session(sessionmaker(engine))
    event = emitter.integration.build("import.finished")
    assert event is not None
    scoped.begin()
    assert submit_on_commit(scoped, emitter, event)
    scoped.add(Order(total=1))
    scoped.commit()
    scoped.remove()

    assert [event["name"] for event in happened()] == ["import.finished", "order.placed"]


def test_session_is_collected(engine: Engine, happened: Events) -> None:
    """Nothing of ours keeps a session, or what it has loaded."""
    session = Session(engine)
    place(session, 1)
    dropped = weakref.ref(session)
    session.close()

    del session
    gc.collect()

    assert dropped() is None


def test_memory_of_a_long_session_is_bounded(session: Session, emitter: Emitter) -> None:
    """What has left or vanished is forgotten."""
    for total in range(20):
        place(session, total)
        if total % 2:
            session.commit()
        else:
            session.rollback()

    assert not any(vars(session.info["dd_pa"]).values())


def test_a_listener_of_somebody_else_that_raises_takes_no_event_along(session: Session, happened: Events) -> None:
    """Its error goes on its way; the transaction has committed all the same."""

    def fail(session: Session) -> None:
        raise ZeroDivisionError

    listen(session, "after_commit", fail)
    place(session, 1)
    with pytest.raises(ZeroDivisionError):
        session.commit()

    assert totals(happened) == [1]
