from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import httpx
import pytest

from dd_pa import BuiltEvent
from dd_pa.network.httpx_outlet import HTTP1_CONNECTIONS, HttpxOutlet
from dd_pa.network.httpx_transport import httpx_transport
from dd_pa.network.outcome import Outcome, Verdict
from tests.core.intakes import KEY, settings_for

EVENT = BuiltEvent(id="e" * 32, name="order.placed", occurred_at=0, body=b'{"type":"server"}')


async def sent(answer: httpx.Response | Exception, **settings: Any) -> tuple[Outcome, list[httpx.Request]]:
    """Send one event to an intake that answers so; return the outcome and what was requested."""
    requests: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    intake = HttpxOutlet(settings_for("http://localhost:8994", **settings), httpx.MockTransport(handle))
    outcome = await intake.send(EVENT, EVENT.body)
    await intake.aclose()
    return outcome, requests


@pytest.mark.asyncio
async def test_the_request_is_the_documented_one() -> None:
    """One POST with the key in its header, and nothing that invites a compressed answer."""
    outcome, [request] = await sent(httpx.Response(202, json={}))

    assert outcome.verdict is Verdict.DELIVERED
    assert (request.method, str(request.url)) == ("POST", "http://localhost:8994/api/v2/prodlytics")
    assert request.content == EVENT.body
    assert sorted(request.headers.items()) == [
        ("accept", "application/json"),
        ("content-length", str(len(EVENT.body))),
        ("content-type", "application/json"),
        ("dd-api-key", KEY),
        ("host", "localhost:8994"),
        ("user-agent", f"dd-pa/{version('dd-pa')}"),
    ]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        pytest.param(error, verdict, id=error.__name__)
        for verdict, errors in {
            Verdict.RETRY: [
                httpx.ConnectError,
                httpx.ConnectTimeout,
                httpx.PoolTimeout,
                httpx.ProxyError,
                httpx.ReadTimeout,
                httpx.WriteTimeout,
            ],
            Verdict.LOST: [
                httpx.CloseError,
                httpx.LocalProtocolError,
                httpx.ReadError,
                httpx.RemoteProtocolError,
                httpx.WriteError,
            ],
        }.items()
        for error in errors
    ],
)
async def test_each_network_error_has_one_meaning(error: Callable[[str], Exception], verdict: Verdict) -> None:
    """A connection that ended under a request is no outage; one that cannot be made is. Only the class is kept."""
    outcome, _ = await sent(error(f"Illegal header value b'{KEY}'"))

    assert outcome == Outcome(verdict=verdict, reason=getattr(error, "__name__", ""))


def document(error: object) -> bytes:
    return json.dumps({"errors": [error]}).encode()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("body", "detail"),
    [
        pytest.param(document({"status": "400", "title": "Bad", "detail": "Malformed"}), "Malformed", id="detail"),
        pytest.param(document({"status": "400", "title": "Bad"}), "Bad", id="title"),
        pytest.param(document("Forbidden"), "Forbidden", id="text"),
        pytest.param(document({"detail": 7}), "7", id="number"),
        pytest.param(document({}), "", id="nothing in it"),
        pytest.param(b'{"errors":[]}', '{"errors":[]}', id="no error"),
        pytest.param(b"[]", "[]", id="list"),
        pytest.param(b"<html>Bad Gateway</html>", "<html>Bad Gateway</html>", id="HTML"),
        pytest.param(b"\xff\xfe", "\ufffd\ufffd", id="bytes"),
        pytest.param(b"", "", id="empty"),
        pytest.param(b"[" * 60_000, "[" * 200, id="deep"),
        pytest.param(document({"detail": "d" * 70_000}), ('{"errors": [{"detail": "' + "d" * 200)[:200], id="long"),
    ],
)
async def test_the_intakes_words_are_found_and_cut(body: bytes, detail: str) -> None:
    """Whatever an error answer holds, at most 200 characters of it are kept."""
    outcome, _ = await sent(httpx.Response(400, stream=httpx.ByteStream(body)))

    assert outcome == Outcome(verdict=Verdict.REJECT, reason="400", detail=detail)


@pytest.mark.parametrize(
    ("concurrency", "shared", "width"),
    [
        pytest.param(100, False, HTTP1_CONNECTIONS, id="HTTP/1.1"),
        pytest.param(8, False, 8, id="few over HTTP/1.1"),
        pytest.param(100, True, 100, id="given transport"),
    ],
)
def test_the_width_suits_the_transport(concurrency: int, shared: bool, width: int) -> None:
    """A connection for each request in flight is dear; streams are not."""
    settings = settings_for("http://127.0.0.1:1", concurrency=concurrency)
    transport = httpx.MockTransport(lambda request: httpx.Response(202)) if shared else httpx_transport(settings)

    assert HttpxOutlet(settings, transport).width == width
