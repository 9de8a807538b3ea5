"""Random work of the session, beside a log that triggers write: each committed change has its event, and no other.

`FUZZ=5000` in the environment runs so many seeds; a failure names its own, which `FUZZ_SEED` runs alone.
"""

from __future__ import annotations

import os
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dd_pa import Emitter, Settings
from dd_pa.testing import capture_events
from tests.sqlalchemy_models import databases, forum
from tests.sqlalchemy_models.forum import Member, Poll, Post, Tag, Topic

SEEDS = [int(os.environ["FUZZ_SEED"])] if "FUZZ_SEED" in os.environ else range(int(os.environ.get("FUZZ", "60")))
UNKNOWN = object()
"""What the session did not know: the old value of what was not loaded, the new one of what was set to SQL."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mariadb"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    if request.param == "sqlite":
        engine = databases.sqlite(Path(tmp_path_factory.mktemp("oracle")) / "forum.db")
        forum.build(engine)
        yield engine
        engine.dispose()
        return
    server = databases.postgres_schema if request.param == "postgresql" else databases.mariadb_database
    with server() as url:
        engine = create_engine(url)
        forum.build(engine)
        yield engine
        engine.dispose()


@pytest.fixture(autouse=True)
def emitter() -> Iterator[Emitter]:
    settings = Settings(application_id="forum", api_key="k", spool_dir=None, strict=True)
    with Emitter(settings) as emitter:
        forum.current.append(emitter)
        yield emitter
        forum.current.clear()


class Author:
    """Works with the forum at random, and writes down what it did."""

    def __init__(self, session: Session, chance: random.Random) -> None:
        self.session, self.chance = session, chance
        self.did: list[str] = []
        self._savepoints: list[Any] = []

    def work(self, steps: int) -> None:
        actions = [self.open_topic, self.open_topic, self.write_post, self.retitle, self.count, self.count_in_sql]
        actions += [self.hand_over, self.answer, self.answer, self.tag, self.tag_from_there, self.delete_topic]
        actions += [self.delete_tag, self.delete_member, self.delete_post, self.add_others, self.forget]
        actions += [
            self.session.flush,
            self.commit,
            self.commit,
            self.rollback,
            self.begin_savepoint,
            self.end_savepoint,
            self.try_in_vain,
        ]
        for _ in range(steps):
            action = self.chance.choice(actions)
            self._do(action)
        self._do(self.commit)

    def _do(self, action: Callable[[], object]) -> None:
        self.did.append(getattr(action, "__name__", ""))
        try:
            action()
        except IntegrityError:  # a row that is still referred to: the whole transaction is undone
            self.did.append("refused")
            self.rollback()

    def _any(self, model: type[Any]) -> Any:
        found = self.session.scalars(select(model).order_by(model.id)).all()
        return self.chance.choice(found) if found else None

    def open_topic(self) -> None:
        model = self.chance.choice([Topic, Topic, Poll])
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
        self.chance.choice([self.open_topic, self.retitle, self.hand_over, self.tag, self.delete_topic])()
        self.session.flush()
        savepoint.rollback()

    def end_savepoint(self) -> None:
        if self._savepoints:
            savepoint = self._savepoints.pop()
            (savepoint.commit if self.chance.random() < 0.5 else savepoint.rollback)()


Pair = tuple[Any, Any]
"""An old and a new value."""

Chains = dict[tuple[Any, str], list[Pair]]


def chains_of_log(entries: list[Any]) -> Chains:
    """Return what has changed by topic and column: in one flush from the first old value to the last new one.

    What a flush writes to a row that it has inserted or deletes is part of that.
    """
    made = {(entry.flush, entry.topic) for entry in entries if entry.what in ("created", "deleted")}
    chains: Chains = defaultdict(list)
    flush_of: dict[tuple[Any, str], int] = {}
    for entry in entries:
        key = entry.topic, entry.what
        if entry.what in ("created", "deleted"):
            chains[key].append((None, None))
        elif (entry.flush, entry.topic) in made:
            continue
        elif entry.what.startswith("tags"):
            chains[key].append((None, entry.new))
        elif flush_of.get(key) == entry.flush:
            chains[key][-1] = chains[key][-1][0], entry.new
        else:
            chains[key].append((entry.old, entry.new))
            flush_of[key] = entry.flush
    return {key: _in_order(key[1], [pair for pair in pairs if _is_change(pair)]) for key, pairs in chains.items()}


def _is_change(pair: Pair) -> bool:
    return pair == (None, None) or pair[0] != pair[1]


def _in_order(what: str, pairs: list[Pair]) -> list[Pair]:
    """Return what a flush does to a set of tags in an order of its own."""
    return sorted(pairs, key=str) if "tags" in what else pairs


def chains_of_events(events: Any) -> Chains:
    chains: Chains = defaultdict(list)
    for event in events:
        topic = event.attributes["topic"]["id"]
        if event.name != "topic.changed":
            chains[topic, event.name.removeprefix("topic.")].append((None, None))
            continue
        for what, entry in event.attributes["changed"].items():
            if what == "tags":
                sign = "tags +" if entry["action"] == "added" else "tags -"
                chains[topic, sign] += [(None, str(pk)) for pk in entry["pks"]]
            else:
                chains[topic, what].append((_text(entry, "old"), _text(entry, "new")))
    return {key: _in_order(key[1], pairs) for key, pairs in chains.items()}


def _text(entry: dict[str, Any], side: str) -> Any:
    value = entry.get(side, UNKNOWN)
    return value if value is None or value is UNKNOWN else str(value)


def agrees(told: list[Pair], true: list[Pair]) -> bool:
    """Tell whether events say what happened, in this order. One without the old value may say it once too often."""
    left = list(true)
    for pair in told:
        if left and all(mine in (UNKNOWN, real) for mine, real in zip(pair, left[0], strict=True)):
            left.pop(0)
        elif UNKNOWN not in pair:
            return False
    return not left


@pytest.mark.parametrize("seed", SEEDS)
def test_events_agree_with_the_tables(engine: Engine, seed: int) -> None:
    """Every committed change of a followed attribute, with its true old and new value, and nothing else."""
    forum.empty(engine)
    with capture_events() as events, Session(engine) as session:
        forum.count_flushes(session)
        author = Author(session, random.Random(seed))
        author.work(40)
    with engine.connect() as connection:
        true = chains_of_log(forum.log(connection))

    told = chains_of_events(events)
    wrong = {key: (told.get(key, []), true.get(key, [])) for key in told.keys() | true.keys()}
    wrong = {key: sides for key, sides in wrong.items() if not agrees(*sides)}
    assert not wrong, f"seed {seed}: {wrong} after {author.did}"
