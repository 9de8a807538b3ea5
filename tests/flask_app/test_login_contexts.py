"""What the application sees of its user with events is what it sees without: in nested and shared contexts, too."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Iterator
from typing import Any

import flask_login
import pytest
from flask import Flask, Response, copy_current_request_context, current_app, g, stream_with_context
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dd_pa.testing import capture_events
from dd_pa_flask import ProductAnalytics
from tests.flask_app.conftest import MakeApp

Plan = list[Any]


class User(flask_login.UserMixin):  # type: ignore[misc] # Flask-Login has no types
    def __init__(self, number: str) -> None:
        self.id = number


class Story:
    """Runs a plan of looks, events and nested contexts inside of requests, and writes down what the application saw."""

    def __init__(self, app: Flask, analytics: ProductAnalytics, *, tracks: bool) -> None:
        self.app, self.analytics, self.tracks = app, analytics, tracks
        self.seen: list[str | None] = []
        self.expected: list[str | None] = []
        """Whom Flask-Login would have named at each event, if it had been asked there and then forgotten it."""

    def run(self, plan: Plan) -> None:
        for action in plan:
            self._do(action)

    def _do(self, action: Any) -> None:
        match action:
            case "look":
                self.seen.append(flask_login.current_user.get_id())
            case "track":
                self._track()
            case "login":
                flask_login.login_user(User("9"))
            case "logout":
                flask_login.logout_user()
            case ("nested", plan):
                with current_app.test_request_context("/mail"):
                    self.run(plan)
            case ("app_context", plan):
                with self.app.app_context():
                    self.run(plan)
            case ("inner_request", plan):
                vars(self.app)["plans"].append(plan)
                self.app.test_client().get("/plan")

    def _track(self) -> None:
        if self.tracks:
            self.analytics.track("page.opened")
            return
        had_one = "_login_user" in g
        self.expected.append(flask_login.current_user.get_id())
        if not had_one:
            g.pop("_login_user", None)


def _plans() -> st.SearchStrategy[Plan]:
    """Looks and events in different contexts of a request, and few logins: these hide what the others leave behind."""
    simple = st.sampled_from(["look", "track"] * 4 + ["login", "logout"])
    contexts = st.sampled_from(["nested", "app_context", "inner_request"])
    inner = st.tuples(contexts, st.lists(simple, min_size=1, max_size=2))
    nested = st.tuples(contexts, st.lists(simple | inner, min_size=1, max_size=3))
    return st.lists(simple | nested, min_size=1, max_size=4)


def _tell(make_app: MakeApp, analytics: ProductAnalytics, plan: Plan, *, tracks: bool, shared: bool) -> Story:
    app = make_app()
    flask_login.LoginManager(app).user_loader(User)
    vars(app)["plans"] = []
    story = Story(app, analytics, tracks=tracks)

    @app.get("/sign-in")
    def sign_in() -> str:
        flask_login.login_user(User("7"))
        g.pop("_login_user", None)  # an app context around the requests would keep it
        return "ok"

    @app.get("/plan")
    def run_plan() -> str:
        story.run(vars(app)["plans"].pop())
        return "ok"

    def visit(client: FlaskClient) -> None:
        client.get("/sign-in")
        for _ in range(2):
            vars(app)["plans"].append(plan)
            client.get("/plan")

    if shared:
        with app.app_context():
            visit(app.test_client())
    else:
        visit(app.test_client())
    return story


@pytest.mark.parametrize("shared", [pytest.param(False, id="alone"), pytest.param(True, id="shared-app-context")])
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=_plans())
def test_events_change_nobody(make_app: MakeApp, analytics: ProductAnalytics, plan: Plan, shared: bool) -> None:
    """Whatever is nested in what: the application sees the same users with and without events, and so do the events."""
    without = _tell(make_app, analytics, plan, tracks=False, shared=shared)
    with capture_events() as events:
        with_events = _tell(make_app, analytics, plan, tracks=True, shared=shared)

    assert with_events.seen == without.seen
    assert [event.usr for event in events] == [usr for usr in without.expected if usr is not None]


@pytest.mark.parametrize("path", ["/rendered", "/called", "/outer-first"])
def test_outer_request_keeps_its_user(make_app: MakeApp, analytics: ProductAnalytics, path: str) -> None:
    """An event in a context inside of a request logs nobody in or out of either."""
    app = make_app()
    flask_login.LoginManager(app).user_loader(User)

    @app.get("/sign-in")
    def sign_in() -> str:
        flask_login.login_user(User("7"))
        return "ok"

    @app.get("/rendered")
    def rendered() -> str:
        with current_app.test_request_context("/mail"):
            analytics.track("mail.rendered")
        return str(flask_login.current_user.get_id())

    @app.get("/called")
    def called() -> str:
        current_app.test_client().get("/inner")
        return str(flask_login.current_user.get_id())

    @app.get("/inner")
    def inner() -> str:
        analytics.track("inner.done")
        return "ok"

    @app.get("/outer-first")
    def outer_first() -> str:
        analytics.track("page.opened")
        with current_app.test_request_context("/mail"):
            seen_inside = flask_login.current_user.is_authenticated
        g.pop("_login_user")  # what the application's own look has left behind
        return "wrong" if seen_inside else str(flask_login.current_user.get_id())

    client = app.test_client()
    client.get("/sign-in")

    assert client.get(path).text == "7"


def test_copied_context_ends_for_itself(make_app: MakeApp, analytics: ProductAnalytics) -> None:
    """A thread with a copy of the request's context ends neither that request's person nor what comes after it."""
    app = make_app()
    flask_login.LoginManager(app).user_loader(User)

    @app.get("/sign-in")
    def sign_in() -> str:
        flask_login.login_user(User("7"))
        return "ok"

    @app.get("/threads")
    def threads() -> str:
        @copy_current_request_context
        def work() -> None:
            analytics.track("invoice.printed")

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        analytics.track("order.placed")
        return "ok"

    @app.get("/streams")
    def streams() -> Response:
        def body() -> Iterator[str]:
            yield "a"
            analytics.track("page.streamed")

        return Response(stream_with_context(body()))

    def visit() -> None:
        for path in ("/sign-in", "/threads", "/streams"):
            assert client.get(path).text

    client = app.test_client()
    with capture_events() as events:
        contextvars.Context().run(visit)  # all by one thread, as a server does

    assert [(event.name, event.usr) for event in events] == [
        ("invoice.printed", "7"),
        ("order.placed", "7"),
        ("page.streamed", "7"),
    ]
