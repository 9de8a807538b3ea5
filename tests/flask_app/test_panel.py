"""The panel of Flask-DebugToolbar: what became of a request's events, and whom they were linked to by what."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flask_login
import pytest
from flask import Flask, Response, request, stream_with_context
from flask.testing import FlaskClient
from flask_debugtoolbar import DebugToolbarExtension
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from dd_pa import EventDraft, identify
from dd_pa.observe.panel_log import follow
from dd_pa.outbox.sqlalchemy import outbox_table
from dd_pa_flask import ProductAnalytics
from tests.flask_app import rum
from tests.flask_app.conftest import MakeApp, Sent, state_of

PAGE = "<html><body>page</body></html>"
HOSTILE = '<img src=x onerror="alert(1)">'
PANEL = "dd_pa_flask.panel.ProductAnalyticsPanel"
VISITOR = {"Baggage": rum.baggage()}

Rows = list[list[str]]
See = Callable[..., Rows]


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)
outbox = outbox_table(db.metadata)


class PanelOrder(db.Model):  # type: ignore[name-defined,misc] # Flask-SQLAlchemy's models have no types
    id: Mapped[int] = mapped_column(primary_key=True)


class User(flask_login.UserMixin):  # type: ignore[misc] # Flask-Login has no types
    id = 7


@pytest.fixture
def config(config: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """Redirects are left alone: the toolbar would make pages of them."""
    return config | {
        "DEBUG_TB_ENABLED": True,
        "DEBUG_TB_PANELS": [PANEL],
        "DEBUG_TB_INTERCEPT_REDIRECTS": False,
        "SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path}/shop.sqlite3",
    }


def with_toolbar(app: Flask) -> Flask:
    DebugToolbarExtension(app)
    return app


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return with_toolbar(make_app())


def panel_of(page: str) -> str:
    """Return the panel's part of a page."""
    return page.partition('<div class="dd-pa-panel">')[2].partition('id="flDebugWindow"')[0]


def rows_of(page: str) -> Rows:
    """Return the texts of the panel's table: event, fate, ids and attributes of each event."""
    found = re.findall(r"<tr class.*?</tr>", panel_of(page), re.DOTALL)
    return [[text_of(cell) for cell in re.findall(r"<td>(.*?)</td>", row, re.DOTALL)] for row in found]


def text_of(markup: str) -> str:
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", markup)).split())


@pytest.fixture
def see(app: Flask, client: FlaskClient) -> See:
    """Run code as a view, and return what the panel says of it."""

    def see(view: Callable[[], object], **headers: str) -> Rows:
        def page() -> str:
            view()
            return PAGE

        app.add_url_rule("/seen", "seen", page)
        return rows_of(client.get("/seen", headers=headers or VISITOR).text)

    return see


def states(rows: Rows) -> list[tuple[str, str]]:
    return [(name.split()[0], state) for name, state, *_ in rows]


def test_event_of_a_view(see: See, analytics: ProductAnalytics) -> None:
    """Its attributes, its ids and what they are from, and the way to the emulator."""
    ((name, state, ids, attributes),) = see(lambda: analytics.track("report.viewed", {"rows": 3}, usr="u-1"))

    assert re.fullmatch(r"report\.viewed \d\d:\d\d:\d\d \(\+\d+\.\d ms\)", name)
    assert (state, attributes) == ("sent at once", '{ "rows": 3 }')
    assert ids == (
        f"usr.id u-1 from: given to track() session.id {rum.SESSION} from: baggage header This session in the emulator"
    )


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        pytest.param(lambda: {"Cookie": rum.cookie()}, "cookie _dd_s_v2", id="v2"),
        pytest.param(lambda: {"Cookie": rum.cookie().replace("_v2=", "=rum=1&")}, "cookie _dd_s", id="v1"),
        pytest.param(lambda: VISITOR, "baggage header", id="baggage"),
    ],
)
def test_where_the_session_is_from(
    app: Flask, raw_client: FlaskClient, analytics: ProductAnalytics, headers: Callable[[], dict[str, str]], origin: str
) -> None:
    """Each header that can name it; a link shows its events alone."""

    @app.get("/")
    def page() -> str:
        analytics.track("page.viewed")
        return PAGE

    found = raw_client.get("/", headers=headers()).text

    assert f"session.id {rum.SESSION} from: {origin}" in rows_of(found)[0][2]
    intake = state_of(app).emitter.settings.intake_url
    assert f'href="{intake}/?q=@session.id:{rum.SESSION}"' in panel_of(found)


def test_where_ids_are_from(make_app: MakeApp, analytics: ProductAnalytics) -> None:
    """Callables of the application, a block, and what BEFORE_SEND made of it."""

    def swap(draft: EventDraft) -> EventDraft:
        draft.usr = "somebody" if draft.name == "user.swapped" else draft.usr
        return draft

    app = with_toolbar(
        make_app(
            DD_PA_USER_ID=lambda request: "u-1",
            DD_PA_ACCOUNT_ID=lambda request: "acme",
            DD_PA_SESSION_ID=lambda request: "s-1",
            DD_PA_BEFORE_SEND=swap,
        )
    )

    @app.get("/")
    def page() -> str:
        analytics.track("from.request")
        with identify(usr="bound"):
            analytics.track("from.block")
        analytics.track("user.swapped")
        return PAGE

    rest = "account.id acme from: ACCOUNT_ID session.id s-1 from: SESSION_ID This session in the emulator"
    assert [ids for _, _, ids, _ in rows_of(app.test_client().get("/").text)] == [
        f"usr.id u-1 from: USER_ID {rest}",
        "usr.id bound from: identify() block",
        f"usr.id somebody from: BEFORE_SEND {rest}",
    ]


def test_login_and_fallback(make_app: MakeApp, analytics: ProductAnalytics) -> None:
    """Flask-Login's user, and the id that is kept in Flask's session."""
    app = with_toolbar(make_app(DD_PA_SESSION_FALLBACK=True))
    flask_login.LoginManager(app).request_loader(lambda request: User())

    @app.get("/")
    def page() -> str:
        analytics.track("page.viewed")
        return PAGE

    ((_, _, ids, _),) = rows_of(app.test_client().get("/").text)
    assert re.match(r"usr\.id 7 from: login \(Flask-Login\) session\.id [0-9a-f-]{36} from: SESSION_FALLBACK ", ids)


def test_drops_and_repairs(make_app: MakeApp, analytics: ProductAnalytics) -> None:
    """Each with its reason."""
    app = with_toolbar(
        make_app(DD_PA_STRICT=False, DD_PA_BEFORE_SEND=lambda draft: None if draft.usr == "x" else draft)
    )

    @app.get("/")
    def page() -> str:
        analytics.track("page.viewed")
        analytics.track("noise.made", usr="x")
        analytics.track(" ", usr="u")
        with identify(consent=False):
            analytics.track("visit.hidden", usr="u")
        analytics.track("order.placed", {"total": float("nan"), "count": 1}, usr="u")
        return PAGE

    page_text = app.test_client().get("/").text
    found = [state for _, state, *_ in rows_of(page_text)]
    assert [state.split(" Wrong")[0].split(" BEFORE")[0][:18] for state in found] == [
        "dropped : unlinked",
        "dropped : before_s",
        "dropped : invalid",
        "dropped : consent ",
        "sent at once Left ",
    ]
    assert found[2].endswith("Wrong: name: must have 1 to 512 printable characters")
    assert "5 events, 4 not sent" in page_text


ROLLED_BACK = "vanished with a rollback"


@pytest.fixture
def shop(app: Flask) -> Iterator[Flask]:
    """An app with tables."""
    db.init_app(app)
    with app.app_context():
        db.create_all()
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.mark.parametrize("has_outbox", [False, True])
def test_commits_and_rollbacks(
    shop: Flask, see: See, analytics: ProductAnalytics, sent: Sent, has_outbox: bool
) -> None:
    """Of sessions of SQLAlchemy, to savepoints too, with and without an outbox."""
    if has_outbox:
        analytics.use_outbox(shop, db, outbox)

    def view() -> None:
        db.session.add(PanelOrder())
        db.session.flush()
        analytics.track("order.placed", usr="u", on_commit=db.session)
        savepoint = db.session.begin_nested()
        analytics.track("order.paid", usr="u", on_commit=db.session)
        savepoint.rollback()
        db.session.commit()
        db.session.add(PanelOrder())
        db.session.flush()
        analytics.track("order.doubled", usr="u", on_commit=db.session)
        db.session.rollback()
        db.session.add(PanelOrder())
        db.session.flush()
        analytics.track("order.held", usr="u", on_commit=db.session)

    committed, waiting = (
        ("stored in the outbox", "in the outbox, waits for the commit")
        if has_outbox
        else ("sent when the transaction committed", "waits for the commit")
    )
    assert states(see(view)) == [
        ("order.placed", committed),
        ("order.paid", ROLLED_BACK),
        ("order.doubled", ROLLED_BACK),
        ("order.held", waiting),
    ]
    assert [event["event"]["name"] for event in sent()] == ([] if has_outbox else ["order.placed"])


def test_outbox_without_a_transaction(shop: Flask, see: See, analytics: ProductAnalytics) -> None:
    """The row waits for one to begin; the page is made before it is known that none does."""
    analytics.use_outbox(shop, db, outbox)

    rows = see(lambda: analytics.track("page.viewed", on_commit=db.session))

    assert states(rows) == [("page.viewed", "waits for the commit")]


def test_async_view(app: Flask, client: FlaskClient, analytics: ProductAnalytics) -> None:
    """It runs in an event loop of its own. The toolbar does not wrap such views by itself."""

    async def page() -> str:
        await asyncio.sleep(0)
        analytics.track("page.viewed")
        return PAGE

    app.add_url_rule("/", "page", app.ensure_sync(page))

    assert states(rows_of(client.get("/", headers=VISITOR).text)) == [("page.viewed", "sent at once")]


def test_event_of_a_decorated_view_is_announced(
    app: Flask, client: FlaskClient, analytics: ProductAnalytics, sent: Sent
) -> None:
    """It is fired after the page has been made."""

    @app.get("/")
    @analytics.tracked("report.viewed")
    def page() -> str:
        return PAGE

    text = text_of(panel_of(client.get("/", headers=VISITOR).text))
    assert "after this page was made, these may be fired: report.viewed" in text
    assert [event["event"]["name"] for event in sent()] == ["report.viewed"]


def test_hostile_texts_are_escaped(see: See, client: FlaskClient, analytics: ProductAnalytics) -> None:
    """In the name, the ids and the attributes; long values are cut."""
    details = {"</pre>": HOSTILE, "long": "x" * 6000}

    ((name, _, ids, attributes),) = see(lambda: analytics.track(HOSTILE, details, usr=HOSTILE, session=f'"{HOSTILE}'))

    content = panel_of(client.get("/seen", headers=VISITOR).text)
    assert HOSTILE not in content
    assert (name.startswith(HOSTILE), HOSTILE in ids, "more characters" in attributes) == (True, True, True)
    assert all(link.startswith("http://127.0.0.1:") for link in re.findall(r'<a href="([^"]*)"', content))


def test_no_secret_is_shown(app: Flask, raw_client: FlaskClient, analytics: ProductAnalytics) -> None:
    """No key, and of a cookie nothing but the session's id."""

    @app.get("/")
    def page() -> str:
        analytics.track("page.viewed")
        return PAGE

    shown = panel_of(raw_client.get("/", headers={"Cookie": f"{rum.cookie()}; token=hush-hush"}).text)

    assert rum.SESSION in shown
    assert not [secret for secret in ("a-key", "not-a-secret", "hush-hush", "expire=") if secret in shown]


@pytest.mark.parametrize("count", [0, 200])
def test_any_number_of_events(see: See, analytics: ProductAnalytics, count: int) -> None:
    """None, and many."""
    rows = see(lambda: [analytics.track("item.listed", {"number": number}) for number in range(count)])

    assert [attributes for *_, attributes in rows] == [f'{{ "number": {number} }}' for number in range(count)]


def test_page_without_events_says_so(see: See, client: FlaskClient) -> None:
    """And not that something is broken."""
    assert see(lambda: None) == []
    assert "No event was tracked in this request." in client.get("/seen").text


def test_streamed_body_is_left_alone(app: Flask, client: FlaskClient, analytics: ProductAnalytics, sent: Sent) -> None:
    """The toolbar has no place in it, and keeps nothing of it."""

    @app.get("/")
    def page() -> Response:
        def body() -> Iterator[str]:
            analytics.track("chunk.made")
            yield PAGE

        return Response(stream_with_context(body()))

    assert client.get("/", headers=VISITOR).text == PAGE
    assert [event["event"]["name"] for event in sent()] == ["chunk.made"]
    assert follow(None) is None


@pytest.mark.parametrize("fails", [True, False])
def test_request_is_let_go_at_its_end(
    app: Flask, client: FlaskClient, analytics: ProductAnalytics, fails: bool
) -> None:
    """However it ends: the thread serves others afterwards."""
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.get("/")
    def page() -> Response:
        analytics.track("page.viewed")
        if fails:
            raise LookupError
        return Response("{}", content_type="application/json")

    assert client.get("/", headers=VISITOR).status_code == (500 if fails else 200)
    assert follow(None) is None


def test_app_without_the_toolbar(make_app: MakeApp, analytics: ProductAnalytics, sent: Sent) -> None:
    """In a process where another app has it."""
    plain = make_app(DD_PA_APPLICATION_ID="22222222-2222-4222-8222-222222222222")

    @plain.get("/")
    def page() -> str:
        analytics.track("page.viewed", {"path": request.path})
        return PAGE

    assert plain.test_client().get("/", headers=VISITOR).text == PAGE
    assert state_of(plain).emitter.flush(60)
    assert state_of(plain).emitter.stats().delivered == 1


def test_app_without_product_analytics(make_app: MakeApp) -> None:
    """The panel is there, and empty."""
    app = Flask(__name__)
    app.config.update(SECRET_KEY="x", DEBUG_TB_ENABLED=True, DEBUG_TB_PANELS=[PANEL])

    @with_toolbar(app).get("/")
    def page() -> str:
        return PAGE

    assert "No event was tracked" in app.test_client().get("/").text
