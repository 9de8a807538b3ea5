"""`dd_pa.wsgi` with a bare application, under wsgiref's validator and on real servers."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import httpx
import pytest

from dd_pa.emulator import Emulator
from dd_pa.wsgi import ProductAnalyticsMiddleware, request_identity
from tests.gateways.conftest import SESSION, MakeShop, Shop, cookie, settings
from tests.processes.program import Stage, make_stage_for
from tests.waiting import wait_until

Start = Callable[..., Any]


@pytest.fixture
def shop(make_shop: MakeShop) -> Shop:
    given = settings()
    identity = request_identity(
        given, user_id=lambda environ: environ.get("REMOTE_USER"), account_id=lambda environ: "acme"
    )
    return make_shop(given, identity)


def environ_of(**changes: Any) -> dict[str, Any]:
    environ: dict[str, Any] = {"HTTP_COOKIE": cookie()["cookie"], "REMOTE_USER": "u-1"}
    setup_testing_defaults(environ)
    return environ | changes


def begin(app: Any, environ: dict[str, Any] | None = None) -> tuple[Any, list[Any]]:
    """Call an application as a server does; return the body and what it said to `start_response`."""
    said: list[Any] = []
    return app(environ_of() if environ is None else environ, lambda *given: said.append(given)), said


def test_a_request(shop: Shop) -> None:
    """User, account and session; by the letter of WSGI, with the headers that the application gave."""

    def app(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        shop.emitter.track("page.viewed")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    transport = httpx.WSGITransport(app=validator(ProductAnalyticsMiddleware(validator(app))), remote_addr="::1")
    with httpx.Client(transport=transport, base_url="http://shop") as client:
        answer = client.get("/", headers=cookie())

    assert (answer.text, list(answer.headers.items())) == ("ok", [("content-type", "text/plain")])
    assert shop.arrived() == [("page.viewed", None, "acme", SESSION)]


def test_each_part_of_a_body_is_work_for_its_request(shop: Shop) -> None:
    """And between two parts, and after it, the thread works for nobody."""

    def app(environ: dict[str, Any], start_response: Start) -> Iterator[bytes]:
        shop.emitter.track("body.begun", {"number": 1})
        start_response("200 OK", [])
        yield b"1"
        shop.emitter.track("body.ended", {"number": 2})
        yield b"2"

    body, _ = begin(ProductAnalyticsMiddleware(app))
    other, _ = begin(ProductAnalyticsMiddleware(app), environ_of(REMOTE_USER="u-2", HTTP_COOKIE=""))
    parts = []
    for pair in zip(body, other, strict=True):
        parts.append(pair)
        assert shop.emitter.integration.identity().usr is None

    assert parts == [(b"1", b"1"), (b"2", b"2")]
    assert [event[0] for event in shop.arrived()] == ["body.begun"] * 2 + ["body.ended"] * 2
    assert {event[1:] for event in shop.arrived()} == {("u-1", "acme", SESSION), ("u-2", "acme", None)}


def test_a_body_that_is_left_in_its_middle(shop: Shop) -> None:
    """Is closed as work for its request."""

    def app(environ: dict[str, Any], start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            yield b"1"
        finally:
            shop.emitter.track("body.closed")

    body, said = begin(ProductAnalyticsMiddleware(app))
    next(iter(body))
    body.close()

    assert (said, shop.emitter.integration.identity().usr) == ([("200 OK", [])], None)
    assert shop.arrived() == [("body.closed", "u-1", "acme", SESSION)]


@pytest.mark.parametrize("where", ["call", "iter", "next", "close"])
def test_errors_pass_and_nothing_stays_behind(where: str, shop: Shop) -> None:
    """Wherever the application fails."""

    class Failing:
        def __iter__(self) -> Iterator[bytes]:
            if where == "iter":
                raise RuntimeError(where)
            return self

        def __next__(self) -> bytes:
            if where == "next":
                raise RuntimeError(where)
            raise StopIteration

        def close(self) -> None:
            raise RuntimeError(where)

    def app(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        if where == "call":
            raise RuntimeError(where)
        return Failing()

    with pytest.raises(RuntimeError, match=where):
        _exhaust(begin(ProductAnalyticsMiddleware(app))[0])
    assert shop.emitter.integration.identity().usr is None


def _exhaust(body: Any) -> None:
    list(body)
    body.close()


class ServersFile(FileWrapper):
    """A file that a server would send by itself."""


@pytest.mark.parametrize("wrapper", [ServersFile, lambda file, size=8192: ServersFile(file, size)])
def test_files_stay_what_the_server_knows(wrapper: Any) -> None:
    """Whether it goes by their type or by the very object; what is wrapped in a body of one's own is a body."""

    def sends(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        found: Iterable[bytes] = environ["wsgi.file_wrapper"](io.BytesIO(b"file"), 2)
        return found

    def wraps(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        return map(bytes, sends(environ, start_response))

    sent, _ = begin(ProductAnalyticsMiddleware(sends), environ_of(**{"wsgi.file_wrapper": wrapper}))
    wrapped, _ = begin(ProductAnalyticsMiddleware(wraps), environ_of(**{"wsgi.file_wrapper": wrapper}))

    assert (type(sent), list(sent)) == (ServersFile, [b"fi", b"le"])
    assert (type(wrapped) is ServersFile, list(wrapped)) == (False, [b"fi", b"le"])


@pytest.mark.parametrize("body", [[b"1"], (b"1", b"2")])
def test_finished_bodies_are_handed_on(body: Any) -> None:
    """A server may look at their length."""
    assert begin(ProductAnalyticsMiddleware(lambda environ, start_response: body))[0] is body


def test_settings_name_the_callables_too(make_shop: MakeShop) -> None:
    """USER_ID, ACCOUNT_ID, SESSION_ID and CONSENT are called with the environ; GPC is read."""
    given = settings(
        user_id=lambda environ: environ["PATH_INFO"],
        account_id=lambda environ: "acme",
        session_id=lambda environ: "chosen",
        consent=lambda environ: environ["PATH_INFO"] != "/no",
        respect_gpc=True,
    )
    shop = make_shop(given, request_identity(given))

    def app(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        shop.emitter.track("page.viewed")
        return []

    connected = ProductAnalyticsMiddleware(app)
    for environ in (environ_of(PATH_INFO="/yes"), environ_of(PATH_INFO="/no"), environ_of(HTTP_SEC_GPC="1")):
        begin(connected, environ)

    assert shop.arrived() == [("page.viewed", "/yes", "acme", "chosen")]
    assert shop.emitter.stats().dropped == {"consent": 2}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    emulator = Emulator()
    with emulator.running() as url:
        yield make_stage_for(emulator, url, tmp_path, durable=False)


def test_gunicorn(stage: Stage) -> None:
    """Two sessions through one thread of a real server: a streamed body, and a file that it sends itself."""
    command = ("-m", "gunicorn", "-b", "127.0.0.1:0", "-w", "1", "tests.gateways.wsgi_shop:application")
    with stage.running(*command) as program:
        address = program.wait_for_port().removeprefix("http://").rstrip("/")
        texts = []
        for path, headers in (("/stream", cookie()), ("/file", {}), ("/file", cookie())):
            connection = HTTPConnection(address, timeout=30)
            connection.request("GET", path, headers=headers)
            texts.append(connection.getresponse().read())
            connection.close()
        wait_until(lambda: len(stage.emulator.events) >= 4, lambda: program.output)

    assert texts == [b"012", Path(sys.modules[__name__].__file__ or "").read_bytes(), texts[1]]
    found = sorted((event["event"]["name"], event.get("session", {}).get("id")) for event in stage.emulator.events)
    assert found == [("file.sent", SESSION), *[("part.sent", SESSION)] * 3]
