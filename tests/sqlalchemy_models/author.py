"""Somebody who works with the forum at random, in all the ways that a session has."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, insert, inspect, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, defer, load_only, make_transient, selectinload
from sqlalchemy.orm.exc import StaleDataError

from tests.sqlalchemy_models.forum import Member, Notice, Poll, Post, Tag, Topic, count_flushes, unseen

NOON = dt.datetime(2026, 1, 1, 12)

VALUES: dict[str, list[Any]] = {
    "views": [0, 1, "5", "1", True],
    "total": [0, "0.00", Decimal("1.5"), 1.504, Decimal("1.50"), "2.25", Decimal("2.251"), None],
    "data": [{}, {"1": ["a"]}, {1: ("a",)}, ["a"], ("a",), None],
    "pinned": [True, False, 1, 0],
    "at": [None, NOON, NOON + dt.timedelta(hours=1)],
    "stars": [3, 4],
    "heading": [None, "a", "b"],
    "is_popular": [True, False],
}
"""What is assigned, in forms that differ and are stored as the same."""


class Author:
    """Works with the forum at random, and writes down what it did."""

    def __init__(self, session: Session, chance: random.Random) -> None:
        self.session, self.chance = session, chance
        self.did: list[str] = []
        self._savepoints: list[Any] = []
        seen = [self.open_topic, self.retitle, self.count, self.count_in_sql, self.hand_over, self.answer, self.tag]
        seen += [
            self.tag_from_there,
            self.amend,
            self.amend,
            self.amend_several,
            self.merge,
            self.postpone,
            self.edit_post,
        ]
        self._writing: list[Callable[[], object]] = [*seen, self.delete_topic, self.delete_unsaved, self.delete_tag]
        self._actions = [*self._writing, self.open_topic, self.write_post, self.answer, self.delete_member]
        self._actions += [self.delete_post, self.add_others, self.forget, self.load_in_part, self.refresh, self.replace]
        self._actions += [self.revive, self.fill_by_statement, self.change_by_statement, self.delete_by_statement]
        self._actions += [self.save_in_bulk, self.let_another_write, self.gather]
        self._actions += [self.session.flush, self.commit, self.commit, self.rollback]
        self._actions += [self.begin_savepoint, self.end_savepoint, self.try_in_vain]

    def work(self, steps: int) -> None:
        """Do so many things, and commit."""
        for _ in range(steps):
            self._do(self.chance.choice(self._actions))
        self._do(self.commit)

    def _do(self, action: Callable[[], object]) -> None:
        self.did.append(getattr(action, "__name__", ""))
        try:
            action()
        except (IntegrityError, StaleDataError) as error:  # a row that is still referred to: the transaction is undone
            self.did.append(f"refused: {type(error).__name__}")
            self.rollback()

    def _any(self, model: type[Any]) -> Any:
        found = self.session.scalars(select(model).order_by(model.id)).all()
        return self.chance.choice(found) if found else None

    def open_topic(self) -> None:
        model = self.chance.choice([Topic, Topic, Poll, Notice])
        author, tag, post = self._any(Member), self._any(Tag), self._any(Post)
        topic = model(title=self.chance.choice([None, "a", "b"]), author=author)
        self.session.add(topic)
        if tag and self.chance.random() < 0.4:
            topic.tags.append(tag)
        if post and self.chance.random() < 0.4:
            topic.last_post = post

    def write_post(self) -> None:
        self.session.add(Post(topic=self._any(Topic)))

    def add_others(self) -> None:
        self.session.add_all([Member(), Tag()])

    def retitle(self) -> None:
        topic = self._any(Topic)
        if topic:
            topic.title = self.chance.choice([None, "a", "b", topic.title])

    def count(self) -> None:
        topic = self._any(Topic)
        if topic:
            topic.views = topic.views + self.chance.choice([0, 1])

    def count_in_sql(self) -> None:
        topic = self._any(Topic)
        if topic:
            topic.views = Topic.views + 1

    def hand_over(self) -> None:
        topic, member = self._any(Topic), self._any(Member)
        if topic and self.chance.random() < 0.5:
            topic.author = member
        elif topic:
            topic.author_id = None if member is None else member.id

    def answer(self) -> None:
        topic, post = self._any(Topic), self._any(Post)
        if topic and self.chance.random() < 0.7:
            topic.last_post = self.chance.choice([post, post, None])
        elif topic:
            topic.last_post_id = None if post is None else post.id
        if topic and self.chance.random() < 0.3:
            topic.title = "answered"

    def tag(self) -> None:
        topic, tag = self._any(Topic), self._any(Tag)
        if topic and tag:
            (topic.tags.remove if tag in topic.tags else topic.tags.append)(tag)

    def tag_from_there(self) -> None:
        topic, tag = self._any(Topic), self._any(Tag)
        if topic and tag:
            (tag.topics.remove if topic in tag.topics else tag.topics.append)(topic)

    def delete_topic(self) -> None:
        topic = self._any(Topic)
        if topic:
            self.session.delete(topic)

    def delete_tag(self) -> None:
        tag = self._any(Tag)
        if tag:
            self.session.delete(tag)

    def delete_member(self) -> None:
        member = self._any(Member)
        if member:
            self.session.delete(member)

    def delete_post(self) -> None:
        post = self._any(Post)
        if post:
            for topic in self.session.scalars(select(Topic).where(Topic.last_post_id == post.id)):
                topic.last_post = None
            self.session.delete(post)

    def forget(self) -> None:
        self.session.flush()
        self.chance.choice([self.session.expire_all, self.session.expunge_all])()

    def commit(self) -> None:
        self._savepoints.clear()
        self.session.commit()

    def rollback(self) -> None:
        self._savepoints.clear()
        self.session.rollback()

    def begin_savepoint(self) -> None:
        self._savepoints.append(self.session.begin_nested())

    def try_in_vain(self) -> None:
        """Write something in a savepoint, and undo it."""
        savepoint = self.session.begin_nested()
        self.chance.choice(self._writing)()
        self.session.flush()
        savepoint.rollback()

    def end_savepoint(self) -> None:
        if self._savepoints:
            savepoint = self._savepoints.pop()
            (savepoint.commit if self.chance.random() < 0.5 else savepoint.rollback)()

    # values

    def amend(self) -> None:
        """Assign a value in one of its forms."""
        topic, name = self._any(Topic), self.chance.choice(sorted(VALUES))
        if topic:
            setattr(topic, name, self.chance.choice(VALUES[name]))

    def amend_several(self) -> None:
        with self.session.no_autoflush:
            for _ in range(3):
                self.amend()

    def merge(self) -> None:
        """Bring in an object from elsewhere."""
        topic = self._any(Topic)
        if topic:
            self.session.merge(type(topic)(id=topic.id, title=self.chance.choice(["a", "b"]), version=topic.version))

    def postpone(self) -> None:
        notice = self._any(Notice)
        if notice:
            notice.until = self.chance.choice([None, 1, 2, "2"])
            if self.chance.random() < 0.3:
                notice.title = "postponed"

    def edit_post(self) -> None:
        post = self._any(Post)
        if post:
            post.body = self.chance.choice(["b", "c"])
            if self.chance.random() < 0.3:
                post.topic = self._any(Topic)

    # what the session knows

    def load_in_part(self) -> None:
        """Have objects of which something is not loaded, and may not be."""
        self.forget()
        raiseload = self.chance.random() < 0.5
        some = [defer(column, raiseload=raiseload) for column in (Topic.title, Topic.total, Topic.stars)]
        options = self.chance.choice([[load_only(Topic.views)], some, some[1:]])
        for topic in self.session.scalars(select(Topic).options(*options)):
            if self.chance.random() < 0.5:
                topic.views = self.chance.choice([1, 2])
            if self.chance.random() < 0.3:
                topic.title = self.chance.choice(["a", "b"])
        self.session.flush()
        self.session.expunge_all()

    def refresh(self) -> None:
        topic = self._any(Topic)
        if topic:
            self.session.refresh(topic, self.chance.choice([None, ["title"], ["views", "twice"]]))

    def gather(self) -> None:
        """Load what belongs to topics, and change it together."""
        for topic in self.session.scalars(select(Topic).options(selectinload(Topic.tags), selectinload(Topic.posts))):
            if self.chance.random() < 0.3:
                topic.tags = [tag for tag in [self._any(Tag)] if tag is not None]
            elif topic.posts and self.chance.random() < 0.3 and topic.last_post is not topic.posts[0]:
                topic.posts = topic.posts[1:]

    def let_another_write(self) -> None:
        """Between two transactions, somebody else changes a row."""
        self.commit()
        with Session(self.session.get_bind()) as session:
            count_flushes(session)
            other = Author(session, self.chance)
            for _ in range(3):
                other._do(self.chance.choice(other._writing))
            other._do(other.commit)

    # rows that go

    def delete_unsaved(self) -> None:
        """Delete what was assigned something that is never written."""
        topic = self._any(Topic)
        if topic:
            with self.session.no_autoflush:
                topic.title = "never"
                topic.views = 77
                self.session.delete(topic)
                self.session.flush()

    def replace(self) -> None:
        """Write a new object over the row of one that is deleted, in one flush: SQLAlchemy makes one UPDATE of it."""
        topic = self._any(Topic)
        if topic is None or topic.posts or topic.tags:
            return
        self.session.flush()
        key, model = topic.id, type(topic)
        self.session.execute(
            text("INSERT INTO oracle_log (flush, name, was) SELECT number + 1, 'replaced', :was FROM oracle_flush"),
            {"was": json.dumps({"id": str(key)})},
        )
        self.session.delete(topic)
        self.session.add(model(id=key, title="replaced"))
        self.session.flush()

    def revive(self) -> None:
        """Delete an object, and add it once more."""
        topic = self._any(Topic)
        if topic is None or topic.posts or topic.tags:
            return
        self.session.delete(topic)
        self.session.flush()
        make_transient(topic)
        inspect(topic).dict.pop("twice", None)  # which only the database can write
        self.session.add(topic)

    # what the session is not asked to see

    def fill_by_statement(self) -> None:
        with unseen(self.session):
            rows = [{"title": "c", "version": 1}, {"title": "d", "version": 1}]
            self.session.execute(insert(Topic).values(kind="topic"), rows)

    def change_by_statement(self) -> None:
        """What is loaded knows of it: the session keeps it in step."""
        with unseen(self.session):
            values: Any = self.chance.choice([{"title": "e"}, {"total": Topic.total + 1}, {"pinned": True}])
            self.session.execute(update(Topic).where(Topic.stars == 3).values(values))

    def delete_by_statement(self) -> None:
        with unseen(self.session):
            self.session.execute(
                delete(Post).where(Post.topic_id.is_(None), Post.id.not_in(select(Topic.last_post_id)))
            )
        self.session.expire_all()

    def save_in_bulk(self) -> None:
        with unseen(self.session):
            self.session.bulk_save_objects([Topic(title="f")])
            self.session.bulk_insert_mappings(inspect(Post), [{"body": "g"}])
