from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from flask import Flask, Response, request, stream_with_context
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from dd_pa_flask import ProductAnalytics
from tests.flask_app import rum
from tests.flask_app.conftest import Sent


@contextmanager
def serving(app: Flask) -> Iterator[int]:
    """Serve an app with Werkzeug, one thread for each request; yields the port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def get(port: int, path: str, headers: dict[str, str]) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_concurrent_requests_keep_their_visitors_apart(app: Flask, analytics: ProductAnalytics, sent: Sent) -> None:
    """On a threaded server each event has the session and the attributes of its own request."""

    @app.get("/<number>")
    @analytics.tracked("report.viewed", lambda request, response: {"number": request.path[1:]})
    def report(number: str) -> str:
        analytics.track("report.opened", {"number": number})
        return number

    visitors = {str(number): f"{number:08x}-0000-4000-8000-000000000000" for number in range(24)}
    with serving(app) as port, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda item: get(port, f"/{item[0]}", {"Cookie": rum.cookie(item[1])}), visitors.items()))

    events = sorted((event["event"]["name"], event["number"], event["session"]["id"]) for event in sent())
    names = ("report.opened", "report.viewed")
    assert events == sorted((name, number, visitor) for name in names for number, visitor in visitors.items())


@pytest.mark.parametrize("server", [pytest.param(True, id="werkzeug"), pytest.param(False, id="test-client")])
def test_streamed_body_keeps_its_visitor(
    app: Flask, raw_client: FlaskClient, analytics: ProductAnalytics, sent: Sent, server: bool
) -> None:
    """Under `stream_with_context` an event in the body is linked as one in the view."""

    @app.get("/export")
    @analytics.tracked("export.started")
    def export() -> Response:
        def rows() -> Iterator[str]:
            yield "1\n"
            yield request.args["last"]
            analytics.track("export.finished")

        return Response(stream_with_context(rows()))

    headers = {"Cookie": rum.cookie()}
    if server:
        with serving(app) as port:
            body = get(port, "/export?last=2", headers)
    else:
        body = raw_client.get("/export?last=2", headers=headers).text

    assert body == "1\n2"
    assert sent() == [
        {"event": {"name": "export.finished"}, "session": {"id": rum.SESSION}},
        {"event": {"name": "export.started"}, "session": {"id": rum.SESSION}},
    ]


def test_plain_generator_takes_emitter_and_ids_along(app: Flask, analytics: ProductAnalytics, sent: Sent) -> None:
    """Without a context the body has neither app nor visitor: what it needs is taken in the view."""
    errors: list[str] = []

    @app.get("/export")
    def export() -> Response:
        emitter = analytics.emitter

        def rows() -> Iterator[str]:
            yield "1\n"
            emitter.track("export.finished", usr="u-1")
            try:
                analytics.track("export.finished")
            except RuntimeError as error:
                errors.append(str(error))

        return Response(rows())

    with serving(app) as port:
        get(port, "/export", {"Cookie": rum.cookie()})

    assert sent() == [{"event": {"name": "export.finished"}, "usr": {"id": "u-1"}}]
    assert [error.startswith("Product Analytics needs to know the app") for error in errors] == [True]


def test_client_that_leaves_a_stream_does_not_taint_the_next_request(
    app: Flask, analytics: ProductAnalytics, sent: Sent
) -> None:
    """A body that is never read to its end fires what came before, and its visitor is gone with it."""

    @app.get("/export")
    def export() -> Response:
        def rows() -> Iterator[str]:
            analytics.track("export.begun")
            yield "1\n"
            analytics.track("export.finished")

        return Response(stream_with_context(rows()))

    @app.get("/")
    def page() -> str:
        analytics.track("page.opened", usr="u-1")
        return "ok"

    client = app.test_client(use_cookies=False)
    answer = client.get("/export", headers={"Cookie": rum.cookie()}, buffered=False)
    next(iter(answer.response))
    answer.close()
    client.get("/")

    assert sent() == [
        {"event": {"name": "export.begun"}, "session": {"id": rum.SESSION}},
        {"event": {"name": "page.opened"}, "usr": {"id": "u-1"}},
    ]
