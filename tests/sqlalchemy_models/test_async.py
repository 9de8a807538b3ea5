from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from dd_pa import Emitter, Identity, identify
from dd_pa.sqlalchemy import submit_on_commit
from tests.sqlalchemy_models.conftest import Events, MakeEmitter
from tests.sqlalchemy_models.databases import opened
from tests.sqlalchemy_models.shop import Order


async def live(engine: AsyncEngine, emitter: Emitter) -> list[int]:
    async with AsyncSession(engine, expire_on_commit=False) as session:
        order = Order(total=1)
        session.add(order)
        await session.commit()
        async with session.begin_nested():
            order.state = "paid"
        undone = await session.begin_nested()
        session.add(Order(total=2))
        await session.flush()
        await undone.rollback()
        event = emitter.integration.build("import.finished")
        assert event is not None
        assert submit_on_commit(session, emitter, event)
        await session.commit()
        session.add(Order(total=3))
        await session.flush()
        await session.rollback()
        return list(await session.scalars(select(Order.total)))


@pytest.mark.asyncio
async def test_async_session(engine: Engine, emitter: Emitter, happened: Events) -> None:
    """The same events at the same moments; a savepoint rolled back takes its own along."""
    async with opened(engine) as async_engine:
        totals = await live(async_engine, emitter)

    events = await asyncio.to_thread(happened)
    assert totals == [1]
    assert [event["name"] for event in events] == ["import.finished", "order.placed", "order.state_changed"]
    assert events[2]["changed"] == {"state": {"old": "new", "new": "paid"}}


@pytest.mark.asyncio
async def test_tasks_keep_their_visitors_apart(engine: Engine, make_emitter: MakeEmitter, happened: Events) -> None:
    """Each event is linked to the block of the task that flushed."""
    make_emitter(identity=Identity())

    async def visit(async_engine: AsyncEngine, number: int) -> None:
        with identify(usr=f"u-{number}"):
            async with AsyncSession(async_engine) as session:
                session.add(Order(total=number))
                await asyncio.sleep(0)
                await session.commit()

    async with opened(engine) as async_engine:
        await asyncio.gather(*(visit(async_engine, number) for number in range(8)))

    events = await asyncio.to_thread(happened)
    assert sorted((event["usr"]["id"], event["order"]["total"]) for event in events) == [
        (f"u-{number}", number) for number in range(8)
    ]
