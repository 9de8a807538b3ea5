"""A forum whose tables tell on themselves: triggers write each change of a row into a log, with all that the row has.

The log is a table like the others, so what is rolled back is not in it. `flush` says in which flush a change was made;
it is negative for what the session is not asked to see.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Computed,
    Connection,
    Engine,
    ForeignKey,
    Numeric,
    String,
    Table,
    Text,
    event,
    select,
    text,
    update,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, synonym

from dd_pa import Emitter
from dd_pa.sqlalchemy import ModelEvents

current: list[Emitter] = []
events = ModelEvents(lambda: current[-1] if current else None)


class Base(DeclarativeBase):
    type_annotation_map = {str: String(99)}  # noqa: RUF012 - SQLAlchemy's way


topic_tags = Table(
    "oracle_topic_tags",
    Base.metadata,
    Column("topic_id", ForeignKey("oracle_topics.id"), primary_key=True),
    Column("tag_id", ForeignKey("oracle_tags.id"), primary_key=True),
)


class Member(Base):
    __tablename__ = "oracle_members"
    id: Mapped[int] = mapped_column(primary_key=True)
    topics: Mapped[list[Topic]] = relationship(back_populates="author", foreign_keys="Topic.author_id")


class Tag(Base):
    __tablename__ = "oracle_tags"
    id: Mapped[int] = mapped_column(primary_key=True)
    topics: Mapped[list[Topic]] = relationship(secondary=topic_tags, back_populates="tags")


@events.track_model(
    created="post.created",
    updated={"body": "post.changed", "topic_id": "post.changed"},
    deleted="post.deleted",
    attributes=["id", "topic_id", "body"],
    identity=lambda post: {"usr": "u"},
)
class Post(Base):
    __tablename__ = "oracle_posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[str | None] = mapped_column(default="b", deferred=True)
    topic_id: Mapped[int | None] = mapped_column(ForeignKey("oracle_topics.id"))
    topic: Mapped[Topic | None] = relationship(foreign_keys=[topic_id], back_populates="posts")


@events.track_model(
    created="topic.created",
    updated=dict.fromkeys(
        ("title", "views", "total", "data", "pinned", "at", "author_id", "last_post_id", "tags"), "topic.changed"
    ),
    deleted="topic.deleted",
    attributes=[
        *("id", "kind", "title", "views", "total", "data", "pinned", "at", "stars", "twice", "version"),
        *("author_id", "last_post_id"),
    ],
    identity=lambda topic: {"usr": "u"},
)
class Topic(Base):
    __tablename__ = "oracle_topics"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(default="topic")
    title: Mapped[str | None] = mapped_column(default="t")
    views: Mapped[int] = mapped_column(default=0)
    total: Mapped[Decimal | None] = mapped_column(Numeric(8, 2), default=0)
    data: Mapped[Any] = mapped_column(JSON(none_as_null=True), default=dict)
    pinned: Mapped[bool] = mapped_column(default=False)
    at: Mapped[dt.datetime | None]
    stars: Mapped[int] = mapped_column(server_default="3")
    twice: Mapped[int] = mapped_column(Computed("views * 2", persisted=True))
    version: Mapped[int] = mapped_column()
    author_id: Mapped[int | None] = mapped_column(ForeignKey("oracle_members.id"))
    author: Mapped[Member | None] = relationship(back_populates="topics", foreign_keys=[author_id])
    last_post_id: Mapped[int | None] = mapped_column(ForeignKey("oracle_posts.id", use_alter=True))
    last_post: Mapped[Post | None] = relationship(foreign_keys=[last_post_id], post_update=True)
    posts: Mapped[list[Post]] = relationship(
        foreign_keys=[Post.topic_id], back_populates="topic", cascade="all, delete-orphan"
    )
    tags: Mapped[list[Tag]] = relationship(secondary=topic_tags, back_populates="topics")
    heading: Mapped[str | None] = synonym("title")
    __mapper_args__ = {  # noqa: RUF012 - SQLAlchemy's way
        "polymorphic_on": "kind",
        "polymorphic_identity": "topic",
        "version_id_col": version,
    }

    @hybrid_property
    def is_popular(self) -> bool:
        return self.views > 9

    @is_popular.inplace.setter
    def _is_popular(self, value: bool) -> None:
        self.views = 10 if value else 0


class Poll(Topic):
    """A topic of another kind, in the same table: its events are those of topics."""

    __mapper_args__ = {"polymorphic_identity": "poll"}  # noqa: RUF012 - SQLAlchemy's way


@events.track_model(
    created="notice.created",
    updated={"until": "notice.changed"},
    deleted="notice.deleted",
    attributes=["id", "until", "title"],
    identity=lambda topic: {"usr": "u"},
)
class Notice(Topic):
    """A topic with a table of its own, joined to that of the topics: two rows are one object."""

    __tablename__ = "oracle_notices"
    id: Mapped[int] = mapped_column(ForeignKey("oracle_topics.id"), primary_key=True)
    until: Mapped[int | None] = mapped_column(default=1)
    __mapper_args__ = {"polymorphic_identity": "notice"}  # noqa: RUF012 - SQLAlchemy's way


class Flush(Base):
    """One row: the number of the flush that runs."""

    __tablename__ = "oracle_flush"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(default=0)


class Entry(Base):
    """What a trigger has written: JSON objects of texts, of the row as it was and as it has become."""

    __tablename__ = "oracle_log"
    id: Mapped[int] = mapped_column(primary_key=True)
    flush: Mapped[int]
    name: Mapped[str]
    was: Mapped[str | None] = mapped_column(Text)
    became: Mapped[str | None] = mapped_column(Text)


LOGGED: dict[str, Any] = {
    "topic": Topic.__table__,
    "notice": Notice.__table__,
    "post": Post.__table__,
    "tags": topic_tags,
}
"""The tables with triggers, by the name that the log has for them."""


def _object(dialect: str, row: str, table: Any) -> str:
    """Return SQL for a JSON object of texts."""
    function, kind = {
        "postgresql": ("json_build_object", "text"),
        "mysql": ("json_object", "char"),
        "sqlite": ("json_object", "text"),
    }[dialect]
    pairs = ", ".join(f"'{column.name}', CAST({row}.{column.name} AS {kind})" for column in table.columns)
    return f"{function}({pairs})"


def _made(dialect: str) -> Iterator[str]:
    for name, table in LOGGED.items():
        for operation in ("INSERT", "UPDATE", "DELETE"):
            was = "NULL" if operation == "INSERT" else _object(dialect, "OLD", table)
            became = "NULL" if operation == "DELETE" else _object(dialect, "NEW", table)
            body = (
                f"INSERT INTO oracle_log (flush, name, was, became) SELECT number, '{name}', {was}, {became} "  # noqa: S608
                f"FROM oracle_flush;"
            )
            trigger = f"tell_{table.name}_{operation}".lower()
            if dialect != "postgresql":
                yield f"CREATE TRIGGER {trigger} AFTER {operation} ON {table.name} FOR EACH ROW BEGIN {body} END"
                continue
            function = f"BEGIN {body} RETURN NULL; END"
            yield f"CREATE FUNCTION {trigger}() RETURNS trigger LANGUAGE plpgsql AS $$ {function} $$"
            when = f"AFTER {operation} ON {table.name} FOR EACH ROW"
            yield f"CREATE TRIGGER {trigger} {when} EXECUTE FUNCTION {trigger}()"


def build(engine: Engine) -> None:
    """Make the tables and their triggers."""
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        for statement in _made(engine.dialect.name):
            connection.exec_driver_sql(statement)


def empty(engine: Engine) -> None:
    """Begin again."""
    with engine.begin() as connection:
        connection.execute(update(Topic.__table__).values(last_post_id=None))  # type: ignore[arg-type] # a table
        for name in ("topic_tags", "posts", "notices", "topics", "members", "tags"):
            connection.execute(text(f"DELETE FROM oracle_{name}"))  # noqa: S608 - names from here
        connection.execute(text("DELETE FROM oracle_log"))
        connection.execute(text("DELETE FROM oracle_flush"))
        connection.execute(text("INSERT INTO oracle_flush (id, number) VALUES (1, 0)"))


def count_flushes(session: Session) -> None:
    """Number the flushes of a session in the database, for the triggers."""

    @event.listens_for(session, "before_flush")
    def count(session: Session, context: Any, instances: Any) -> None:
        session.connection().execute(text("UPDATE oracle_flush SET number = number + 1"))


@contextmanager
def unseen(session: Session) -> Iterator[None]:
    """Have the log say of what is written here that the session is not asked to see it."""
    session.flush()
    number = session.connection().execute(select(Flush.number)).scalar_one()
    session.connection().execute(text("UPDATE oracle_flush SET number = -1"))
    yield
    session.connection().execute(text("UPDATE oracle_flush SET number = :number"), {"number": number})


def log(connection: Connection) -> list[Any]:
    """Return what the triggers have written and nobody has rolled back, in order."""
    return list(connection.execute(select(*Entry.__table__.c).order_by(Entry.id)))
