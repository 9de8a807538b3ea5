"""A forum whose tables tell on themselves: triggers write each change of a followed column into a log, as it is.

The log is a table like the others, so what is rolled back is not in it. `flush` says in which flush a change was made.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, Connection, Engine, ForeignKey, String, Table, event, select, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

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


class Post(Base):
    __tablename__ = "oracle_posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    topic_id: Mapped[int | None] = mapped_column(ForeignKey("oracle_topics.id"))
    topic: Mapped[Topic | None] = relationship(foreign_keys=[topic_id], back_populates="posts")


@events.track_model(
    created="topic.created",
    updated=dict.fromkeys(("title", "views", "author_id", "last_post_id", "tags"), "topic.changed"),
    deleted="topic.deleted",
    attributes=["id"],
    identity=lambda topic: {"usr": "u"},
)
class Topic(Base):
    __tablename__ = "oracle_topics"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(default="topic")
    title: Mapped[str | None] = mapped_column(default="t")
    views: Mapped[int] = mapped_column(default=0)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("oracle_members.id"))
    author: Mapped[Member | None] = relationship(back_populates="topics", foreign_keys=[author_id])
    last_post_id: Mapped[int | None] = mapped_column(ForeignKey("oracle_posts.id", use_alter=True))
    last_post: Mapped[Post | None] = relationship(foreign_keys=[last_post_id], post_update=True)
    posts: Mapped[list[Post]] = relationship(
        foreign_keys=[Post.topic_id], back_populates="topic", cascade="all, delete-orphan"
    )
    tags: Mapped[list[Tag]] = relationship(secondary=topic_tags, back_populates="topics")
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "topic"}  # noqa: RUF012 - SQLAlchemy's way


class Poll(Topic):
    """A topic of another kind, in the same table: its events are those of topics."""

    __mapper_args__ = {"polymorphic_identity": "poll"}  # noqa: RUF012 - SQLAlchemy's way


class Flush(Base):
    """One row: the number of the flush that runs."""

    __tablename__ = "oracle_flush"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(default=0)


class Entry(Base):
    """What a trigger has written."""

    __tablename__ = "oracle_log"
    id: Mapped[int] = mapped_column(primary_key=True)
    flush: Mapped[int]
    topic: Mapped[int]
    what: Mapped[str]
    old: Mapped[str | None]
    new: Mapped[str | None]


COLUMNS = ("title", "views", "author_id", "last_post_id")
_LOG = (
    "INSERT INTO oracle_log (flush, topic, what, old, new) "
    "SELECT number, {topic}, '{what}', {old}, {new} FROM oracle_flush"
)


def _entry(topic: str, what: str, *, old: str = "NULL", new: str = "NULL") -> str:
    return _LOG.format(topic=topic, what=what, old=old, new=new)


def _triggers() -> list[tuple[str, str, list[str]]]:
    """Return the table, the operation and the statements of each trigger."""
    changes = [
        _entry("NEW.id", name, old=f"CAST(OLD.{name} AS TEXT)", new=f"CAST(NEW.{name} AS TEXT)")
        + f" WHERE OLD.{name} <> NEW.{name} OR (OLD.{name} IS NULL) <> (NEW.{name} IS NULL)"
        for name in COLUMNS
    ]
    return [
        ("oracle_topics", "INSERT", [_entry("NEW.id", "created")]),
        ("oracle_topics", "UPDATE", changes),
        ("oracle_topics", "DELETE", [_entry("OLD.id", "deleted")]),
        ("oracle_topic_tags", "INSERT", [_entry("NEW.topic_id", "tags +", new="NEW.tag_id")]),
        ("oracle_topic_tags", "DELETE", [_entry("OLD.topic_id", "tags -", new="OLD.tag_id")]),
    ]


def _made(dialect: str) -> Iterator[str]:
    for table, operation, statements in _triggers():
        name, body = f"tell_{table}_{operation}".lower(), "; ".join(statements) + ";"
        if dialect == "sqlite":
            yield f"CREATE TRIGGER {name} AFTER {operation} ON {table} BEGIN {body} END"
        elif dialect == "mysql":
            body = body.replace(" AS TEXT)", " AS CHAR)")
            yield f"CREATE TRIGGER {name} AFTER {operation} ON {table} FOR EACH ROW BEGIN {body} END"
        else:
            yield f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NULL; END $$"
            yield f"CREATE TRIGGER {name} AFTER {operation} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"


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
        for name in ("oracle_topic_tags", "oracle_posts", "oracle_topics", "oracle_members", "oracle_tags"):
            connection.execute(text(f"DELETE FROM {name}"))  # noqa: S608 - names from here
        connection.execute(text("DELETE FROM oracle_log"))
        connection.execute(text("DELETE FROM oracle_flush"))
        connection.execute(text("INSERT INTO oracle_flush (id, number) VALUES (1, 0)"))


def count_flushes(session: Session) -> None:
    """Number the flushes of a session in the database, for the triggers."""

    @event.listens_for(session, "before_flush")
    def count(session: Session, context: Any, instances: Any) -> None:
        session.connection().execute(text("UPDATE oracle_flush SET number = number + 1"))


def log(connection: Connection) -> list[Any]:
    """Return what the triggers have written and nobody has rolled back, in order."""
    return list(connection.execute(select(*Entry.__table__.c).order_by(Entry.id)))
