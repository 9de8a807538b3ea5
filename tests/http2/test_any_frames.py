"""Frames in any order, cut anywhere: nothing raises, nothing hangs, and no request is lost or answered twice."""

from __future__ import annotations

import asyncio
import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dd_pa.network.http2 import Answer, Failure
from tests.http2.peer import Wire, block, client, headers, raw, well_behaved

EXAMPLES = int(os.environ.get("DD_PA_FRAMES", "40"))
BODIES = [b"body %d" % number for number in range(6)]

ANSWERS = st.builds(
    lambda stream, end: headers(stream, (":status", "503"), end=end).serialize(),
    st.sampled_from([1, 3, 5]),
    st.booleans(),
)
FRAMES = st.builds(
    raw,
    st.integers(0, 11),
    st.integers(0, 255),
    st.sampled_from([0, 1, 2, 3, 5, 7, 9, 11, 13, 99, 2**31]),
    st.one_of(
        st.binary(max_size=40),
        st.just(block((":status", "503"))),
        st.sampled_from(
            [bytes(4), bytes(8), b"\x00\x00\x00\x07", b"\x7f\xff\xff\xff" * 2, b"\x00\x03\x00\x00\x00\x00"]
        ),
    ),
)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    parts=st.lists(st.one_of(FRAMES, ANSWERS, st.binary(max_size=20)), max_size=12),
    cuts=st.lists(st.integers(1, 60), max_size=6),
    hello=st.booleans(),
)
def test_any_frames_cost_at_most_their_connection(parts: list[bytes], cuts: list[int], hello: bool) -> None:
    """Each request ends exactly once; what is sent again arrives, and no answer of a good server is another's."""

    async def hostile(wire: Wire) -> None:
        if hello:
            await wire.hello()
            await wire.frame()
        rest = b"".join(parts)
        for cut in cuts:
            wire.send(rest[:cut])
            rest = rest[cut:]
            await asyncio.sleep(0)
        wire.send(rest)
        await wire.writer.drain()

    async def post() -> None:
        async with client(hostile, well_behaved, timeout=2.0) as posting:
            bodies = list(BODIES)
            for _ in range(8):
                answers = await posting.post(*bodies)
                for body, answer in zip(bodies, answers, strict=True):
                    assert isinstance(answer, Failure) or answer.status == 503 or answer.content == body
                bodies = [
                    body
                    for body, answer in zip(bodies, answers, strict=True)
                    if not (isinstance(answer, Answer) and answer.status == 400)
                ]
                if not bodies:
                    return
        raise AssertionError(bodies)

    asyncio.run(post())
