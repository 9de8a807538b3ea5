"""Events that come one by one leave together, and those that wait already leave as fast as the intake takes them."""

from __future__ import annotations

import asyncio

from dd_pa.network.outcome import DELIVERED
from tests.core.test_event_quarantine import LOST, Bench, make
from tests.core.virtual_loop import run


def test_what_comes_while_nothing_waits_leaves_with_its_neighbours_at_the_next_look() -> None:
    async def main() -> None:
        bench = Bench(answer=lambda event, attempt: DELIVERED)
        bench.put(make("first", 3))
        bench.dispatcher.fill()
        bench.put(make("later", 2))
        await asyncio.sleep(0.06)  # the three are answered by now

        assert (len(bench.delivered_at), bench.store.waiting) == (3, 2)

        bench.dispatcher.fill()
        await asyncio.sleep(0.06)
        assert len(bench.delivered_at) == 5

    run(main())


def test_what_waits_for_room_is_sent_as_soon_as_there_is_some() -> None:
    async def main() -> None:
        bench = Bench(answer=lambda event, attempt: DELIVERED, width=2)
        bench.put(make("first", 7))
        bench.dispatcher.fill()
        await asyncio.sleep(4 * 0.05 + 0.01)

        assert len(bench.delivered_at) == 7

    run(main())


def test_an_event_that_failed_is_tried_again_without_another_look() -> None:
    async def main() -> None:
        bench = Bench(answer=lambda event, attempt: LOST if attempt == 1 else DELIVERED)
        bench.put(make("first", 1))
        bench.dispatcher.fill()
        await asyncio.sleep(0.2)

        assert bench.attempts["first-0"] == 2

    run(main())


def test_where_the_last_look_found_no_room_the_next_answer_has_another_look() -> None:
    """Though the one before it had found nothing."""

    async def main() -> None:
        bench = Bench(answer=lambda event, attempt: DELIVERED, width=1)
        bench.dispatcher.fill()
        bench.put(make("first", 3))
        bench.dispatcher.fill()
        bench.dispatcher.fill()
        await asyncio.sleep(3 * 0.05 + 0.01)

        assert len(bench.delivered_at) == 3

    run(main())
