"""Events of `track()` beside `db.session`: when they leave, and when they vanish, whatever the order of calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, text

from dd_pa import EventError
from dd_pa.outbox.sqlalchemy import outbox_table
from dd_pa.testing import capture_events
from dd_pa_flask import ProductAnalytics
from tests.flask_app.conftest import MakeApp, state_of

db = SQLAlchemy()
outbox = outbox_table(db.metadata, "commit_outbox")
analytics = ProductAnalytics()
BROWSER = {"Baggage": "session.id=2b1b778e-9ef6-45d6-89b8-e68ca6ceb436"}


class Parcel(db.Model):  # type: ignore[name-defined,misc] # Flask-SQLAlchemy's models have no types
    id = db.Column(db.Integer, primary_key=True)
    state = db.Column(db.String, default="new")


@pytest.fixture(params=["analytics-first", "database-first"])
def app(request: pytest.FixtureRequest, make_app: MakeApp, config: dict[str, Any]) -> Iterator[Flask]:
    """A shop whose extensions are set up in either order."""
    if request.param == "analytics-first":
        app = make_app(SQLALCHEMY_DATABASE_URI="sqlite://")
        db.init_app(app)
    else:
        app = Flask("shop")
        app.config.update(config, SQLALCHEMY_DATABASE_URI="sqlite://")
        db.init_app(app)
        analytics.init_app(app)
    vars(app)["plan"] = []

    @app.get("/plan")
    def run_plan() -> str:
        for step in vars(app)["plan"]:
            STEPS[step]()
        return "ok"

    with app.app_context():
        db.create_all()
        db.session.add(Parcel(id=1))
        db.session.commit()
    yield app
    with app.app_context():
        db.engine.dispose()
    if request.param != "analytics-first":
        analytics.close(app)


def _change() -> None:
    parcel = db.session.get(Parcel, 1)
    assert parcel is not None
    parcel.state += "x"


def _savepoint(fate: str) -> None:
    savepoint = db.session.begin_nested()
    analytics.track("in.savepoint")
    db.session.add(Parcel())
    db.session.flush()
    getattr(savepoint, fate)()


def _remove() -> None:
    db.session.flush()  # a change that is not flushed then is the limit in the docs
    db.session.remove()


def _fail() -> None:
    raise RuntimeError("the view has failed")


STEPS: dict[str, Callable[[], object]] = {
    "track": lambda: analytics.track("parcel.sent"),
    "read": lambda: db.session.scalars(select(Parcel)).all(),
    "read text": lambda: db.session.execute(text("SELECT 1")).all(),
    "add": lambda: db.session.add(Parcel()),
    "change": _change,
    "insert": lambda: db.session.execute(insert(Parcel)),
    "insert text": lambda: db.session.execute(text("INSERT INTO parcel (state) VALUES ('x')")),
    "flush": db.session.flush,
    "commit": db.session.commit,
    "rollback": db.session.rollback,
    "remove": _remove,
    "savepoint": lambda: _savepoint("commit"),
    "savepoint undone": lambda: _savepoint("rollback"),
    "fail": _fail,
}
WRITES = {"add", "change", "insert", "insert text", "savepoint"}
READS = {"read", "read text"}


class Model:
    """What should leave, worked out from the rule in words: docs/sqlalchemy.md, "In a request of Flask-SQLAlchemy"."""

    def __init__(self) -> None:
        self.left: list[str] = []
        self.waiting: list[str] = []
        self.has_begun = self.has_written = self.has_ended = False

    def run(self, plan: list[str]) -> list[str]:
        for step in plan:
            if step == "fail":
                break
            self._do(step)
        if not self.has_begun:
            self.left += self.waiting
        self._end(commits=False)
        return sorted(self.left)

    def _do(self, step: str) -> None:
        if step == "track":
            self._track("parcel.sent")
        elif step in WRITES | READS | {"savepoint undone"}:
            self.has_begun = True
            self.has_written |= step in WRITES
            if step == "savepoint":
                self.waiting.append("in.savepoint")
        elif step in ("commit", "rollback", "remove"):
            self.has_begun |= step == "commit"
            self._end(commits=step == "commit")
            if step == "remove":  # what comes next has a session of its own
                self.left, self.waiting, self.has_ended = self.left + self.waiting, [], False

    def _track(self, name: str) -> None:
        tells_of_what_is_done = self.has_ended and not self.has_written
        (self.left if tells_of_what_is_done else self.waiting).append(name)

    def _end(self, *, commits: bool) -> None:
        if not self.has_begun:
            return  # what waits for a transaction goes on to do so
        if commits or not self.has_written:
            self.left += self.waiting
        self.waiting = []
        self.has_begun, self.has_written, self.has_ended = False, False, True


def happened(app: Flask, plan: list[str]) -> list[str]:
    vars(app)["plan"] = plan
    client = app.test_client()
    with capture_events() as events:
        if "fail" in plan:
            with pytest.raises(RuntimeError):
                client.get("/plan", headers=BROWSER)
        else:
            client.get("/plan", headers=BROWSER)
    return sorted(events.names)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.lists(st.sampled_from([*STEPS, "track", "track"]), min_size=1, max_size=7))
def test_event_shares_the_fate_of_what_was_written(app: Flask, plan: list[str]) -> None:
    """Whatever the order: never lost where nothing is rolled back, never sent with what is, and never twice."""
    assert happened(app, plan) == Model().run(plan)


@pytest.mark.parametrize(
    ("plan", "names"),
    [
        pytest.param(["track", "add", "rollback"], [], id="before the row"),
        pytest.param(["add", "track", "rollback"], [], id="after the row"),
        pytest.param(["track", "add", "commit"], ["parcel.sent"], id="committed"),
        pytest.param(["track"], ["parcel.sent"], id="no session"),
        pytest.param(["read", "track"], ["parcel.sent"], id="only read"),
        pytest.param(["read", "track", "rollback"], ["parcel.sent"], id="only read, rolled back"),
        pytest.param(["add", "track", "fail"], [], id="failed before the commit"),
        pytest.param(["change", "track", "fail"], [], id="failed with a change"),
        pytest.param(["track", "fail"], ["parcel.sent"], id="failed with nothing"),
        pytest.param(["add", "commit", "track", "add", "rollback"], ["parcel.sent"], id="told of after the commit"),
        pytest.param(["add", "commit", "read", "track", "add", "rollback"], ["parcel.sent"], id="read after it"),
        pytest.param(["savepoint undone", "commit"], [], id="savepoint"),
    ],
)
def test_fate_by_case(app: Flask, plan: list[str], names: list[str]) -> None:
    """The table of docs/sqlalchemy.md."""
    assert happened(app, plan) == names


def test_script_is_not_kept_waiting(app: Flask) -> None:
    """Outside of a request an app context may last for ever: an event waits for what has begun only."""
    with app.app_context(), capture_events() as events:
        analytics.track("job.begun", usr=1)
        assert events.names == ["job.begun"]
        db.session.add(Parcel())
        analytics.track("job.done", usr=1)
        assert events.names == ["job.begun"]
        db.session.rollback()

    assert events.names == ["job.begun"]


@pytest.mark.parametrize("on_commit", [False, True, "session"])
def test_one_event_decides_for_itself(app: Flask, on_commit: Any) -> None:
    """False leaves at once; True and a session wait for the commit alone, and say nothing of what came to nothing."""
    asked = db.session if on_commit == "session" else on_commit
    with app.app_context(), capture_events() as events:
        analytics.track("before.it", usr=1, on_commit=asked)
        db.session.add(Parcel())
        analytics.track("after.it", usr=1, on_commit=asked)
        db.session.rollback()

    assert events.names == (["before.it", "after.it"] if on_commit is False else [])


def test_commit_that_never_comes_is_not_waited_for(app: Flask) -> None:
    """If the session is not used at all, the event leaves with the app context."""
    with capture_events() as events, app.app_context():
        analytics.track("before.it", usr=1, on_commit=True)
        assert events.names == []

    assert events.names == ["before.it"]


def test_setting_switches_it_off(make_app: MakeApp) -> None:
    """`DD_PA_ON_COMMIT = False`: what is tracked leaves, unless one event asks otherwise."""
    app = make_app(SQLALCHEMY_DATABASE_URI="sqlite://", DD_PA_ON_COMMIT=False)
    db.init_app(app)
    with app.app_context(), capture_events() as events:
        db.create_all()
        db.session.add(Parcel())
        analytics.track("at.once", usr=1)
        analytics.track("on.commit", usr=1, on_commit=True)
        db.session.rollback()
        db.engine.dispose()

    assert events.names == ["at.once"]


@pytest.mark.parametrize("on_commit", [True, "db.session", 7])
def test_what_is_no_session_is_refused(make_app: MakeApp, on_commit: Any) -> None:
    """In strict mode with the fix; otherwise the event leaves."""
    strict, lenient = make_app(), make_app(DD_PA_STRICT=False)
    with strict.app_context(), pytest.raises(EventError, match=r"on_commit.*pass a session of SQLAlchemy"):
        analytics.track("order.placed", usr=1, on_commit=on_commit)
    with lenient.app_context(), capture_events() as events:
        assert analytics.track("order.placed", usr=1, on_commit=on_commit)

    assert events.names == ["order.placed"]


@pytest.mark.parametrize(
    ("plan", "rows"),
    [
        pytest.param(["track", "add", "commit"], ["parcel.sent"], id="committed"),
        pytest.param(["track", "add", "rollback"], [], id="rolled back"),
        pytest.param(["read", "track"], [], id="only read"),
    ],
)
def test_outbox_gets_what_is_committed(app: Flask, plan: list[str], rows: list[str]) -> None:
    """With an outbox the event is a row of the very transaction; what only waited leaves as without one."""
    analytics.use_outbox(app, db, outbox)
    vars(app)["plan"] = plan
    app.test_client().get("/plan", headers=BROWSER)

    with app.app_context():
        assert list(db.session.scalars(select(outbox.c.name))) == rows
    assert state_of(app).emitter.stats().queued + state_of(app).emitter.stats().delivered == (plan == ["read", "track"])
