"""Random work of the session, beside a log that triggers write: each committed change has its event, and no other.

`FUZZ=5000` in the environment runs so many seeds; a failure names its own, which `FUZZ_SEED` runs alone.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from dd_pa import Emitter, Settings
from dd_pa.testing import capture_events
from tests.sqlalchemy_models import databases, forum
from tests.sqlalchemy_models.author import Author
from tests.sqlalchemy_models.databases import opened
from tests.sqlalchemy_models.story import Log, differences, told_by

SEEDS = [int(os.environ["FUZZ_SEED"])] if "FUZZ_SEED" in os.environ else range(int(os.environ.get("FUZZ", "60")))


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


@pytest.mark.parametrize("seed", SEEDS)
def test_events_agree_with_the_tables(engine: Engine, seed: int) -> None:
    """Every committed change of a followed attribute, with its true old and new value and row, and nothing else."""
    forum.empty(engine)
    with capture_events() as events:
        did = asyncio.run(work_async(engine, seed)) if seed % 4 == 3 and can_be_async(engine) else work(engine, seed)
    with engine.connect() as connection:
        true = Log(forum.log(connection)).story

    wrong = differences(told_by(events), true)
    assert not wrong, f"seed {seed}: after {did}\n" + "\n".join(wrong)


def work(engine: Engine, seed: int) -> list[str]:
    """Have somebody work in a session; say what was done."""
    with Session(engine, expire_on_commit=seed % 5 > 0) as session:
        forum.count_flushes(session)
        author = Author(session, random.Random(seed))
        author.work(40)
    return author.did


def can_be_async(engine: Engine) -> bool:
    return engine.dialect.name != "mysql"  # whose asynchronous drivers are not among the project's


async def work_async(engine: Engine, seed: int) -> list[str]:
    """Do the same in a session of asynchronous code."""
    async with opened(engine) as async_engine, AsyncSession(async_engine) as session:
        forum.count_flushes(session.sync_session)
        author = Author(session.sync_session, random.Random(seed))
        await session.run_sync(lambda _: author.work(40))
    return author.did
