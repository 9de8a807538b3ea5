"""Real servers: whatever they make of the RFC, each request is answered, and none is lost when connections end."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Self

import pytest

from dd_pa.network.http2 import Answer, Failure, Origin
from dd_pa.network.http2.connection import Connection
from tests.core.intakes import RawIntake, accept
from tests.http2 import servers
from tests.http2.servers import KINDS, MOST_REQUESTS, Kind, Server

IN_FLIGHT = 100


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture(scope="module")
def behind() -> Iterator[RawIntake]:
    """What the proxies stand before; it speaks HTTP/1.1."""
    intake = RawIntake(accept)
    with intake.running():
        yield intake


@pytest.fixture
def intake(behind: RawIntake) -> RawIntake:
    """The same, as new."""
    behind.posts.clear()
    return behind


@pytest.fixture(scope="module")
def server(kind: Kind, behind: RawIntake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    if os.geteuid() == 0:  # some give up root, and their files are to be found all the same
        for above in [folder, *folder.parents][:3]:
            above.chmod(0o755)
    try:
        with servers.running(kind, folder, behind.url.removeprefix("http://")) as running:
            yield running
    except servers.NotHereError as absent:
        pytest.skip(str(absent))


class Posting:
    """Keeps requests in flight over one origin, and counts what becomes of them."""

    def __init__(self, server: Server) -> None:
        pseudo = {"method": "POST", "scheme": "https", "authority": f"localhost:{server.port}", "path": "/index.html"}
        fields = [*((f":{name}", value) for name, value in pseudo.items()), ("content-type", "application/json")]
        # A busy machine is slow; what hangs takes this long to be seen.
        self.origin = Origin("localhost", server.port, fields, tls=server.tls, timeout=40.0)
        self.connections = 0
        dial = self.origin._dial

        async def counted() -> Connection:
            self.connections += 1
            return await dial()

        self.origin._dial = counted  # type: ignore[method-assign]
        self._after = 0
        self._then: Callable[[], object] = asyncio.Event

    def after(self, answers: int, then: Callable[[], object]) -> None:
        """Do something when so many are answered."""
        self._after, self._then = answers, then

    async def post(self, bodies: list[bytes]) -> Counter[object]:
        """Post all, some at a time; return how many came to which status or failure."""
        results: Counter[object] = Counter()
        waiting, over = list(bodies), asyncio.Event()

        def answered(result: Answer | Failure) -> None:
            results[result.status if isinstance(result, Answer) else result] += 1
            if results.total() == self._after:
                self._then()
            if waiting:
                self.origin.post(waiting.pop(), answered)
            if results.total() == len(bodies):
                over.set()

        for _ in range(min(IN_FLIGHT, len(bodies))):
            self.origin.post(waiting.pop(), answered)
        await over.wait()
        return results

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.origin.aclose()
        assert not self.origin._all


def is_success(result: object) -> bool:
    return isinstance(result, int) and 200 <= result < 300


def arrived(kind: Kind, intake: RawIntake, bodies: list[bytes]) -> bool:
    """Tell whether a proxy has passed on each of the requests; of other servers nothing is known."""
    return not kind.is_proxy or {post.body for post in intake.posts} == set(bodies)


@pytest.mark.asyncio
async def test_each_request_is_answered(kind: Kind, server: Server, intake: RawIntake) -> None:
    """Many small ones at a time, however often the server ends its connections; each arrives."""
    bodies = [b"small %d" % number * 30 for number in range(12 * MOST_REQUESTS)]
    async with Posting(server) as posting:
        results = await posting.post(bodies)

    assert results.total() == len(bodies)
    assert all(map(is_success, results)), results
    assert arrived(kind, intake, bodies)
    assert not kind.ends or posting.connections >= 3


@pytest.mark.asyncio
async def test_large_and_small_bodies(kind: Kind, server: Server, intake: RawIntake) -> None:
    """Larger than frames and windows, and of one byte."""
    bodies = [bytes([number]) * size for number, size in enumerate((1, 16_384, 16_385, 65_536, 300_000, 1_000_000))]
    async with Posting(server) as posting:
        results = await posting.post(bodies)

    assert results.total() == len(bodies)
    assert all(map(is_success, results)), results
    assert arrived(kind, intake, bodies)


@pytest.mark.asyncio
async def test_nothing_is_lost_when_a_server_renews_its_workers(kind: Kind, server: Server, intake: RawIntake) -> None:
    """A reload in the middle: what the old workers have not taken, the new ones get."""
    if kind.renewed_by is None:
        return
    bodies = [b"renewed %d" % number for number in range(20 * MOST_REQUESTS)]
    async with Posting(server) as posting:
        posting.after(5 * MOST_REQUESTS, lambda: server.process.send_signal(kind.renewed_by or 0))
        results = await posting.post(bodies)

    assert results.total() == len(bodies)
    assert all(is_success(result) or (kind.drops and result is Failure.LOST) for result in results), results
    assert {post.body for post in intake.posts} <= set(bodies)
    assert len({post.body for post in intake.posts}) >= len(bodies) - results[Failure.LOST]
