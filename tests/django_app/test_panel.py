"""The panel of django-debug-toolbar: what became of a request's events, and whom they were linked to by what."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import AsyncClient, Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from dd_pa.emulator import Emulator
from dd_pa.observe.panel_log import MAX_STEPS, PanelLog, follow
from dd_pa_django import get_emitter
from tests.django_app.conftest import Configure, Events
from tests.django_app.panel_views import HOSTILE, censor
from tests.django_app.test_middleware import live_cookie

TOOLBAR = {"x-toolbar": "yes"}
PANEL = "ProductAnalyticsPanel"
SESSION = "2b1b778e-9ef6-45d6-89b8-e68ca6ceb436"

Shown = Callable[[], dict[str, Any]]


@pytest.fixture(autouse=True)
def _toolbar(_configured: None) -> Iterator[None]:
    """The toolbar as a project installs it, with our panel alone; what it remembers of other settings is forgotten."""
    with override_settings(
        ROOT_URLCONF="tests.django_app.panel_urls",
        INSTALLED_APPS=[*settings.INSTALLED_APPS, "django.contrib.staticfiles", "debug_toolbar"],
        MIDDLEWARE=["debug_toolbar.middleware.DebugToolbarMiddleware", *settings.MIDDLEWARE],
        DEBUG_TOOLBAR_PANELS=["dd_pa_django.panels.ProductAnalyticsPanel"],
        DEBUG_TOOLBAR_CONFIG={"SHOW_TOOLBAR_CALLBACK": "tests.django_app.panel_views.shows"},
    ):
        toolbar = import_module("debug_toolbar.toolbar").DebugToolbar  # not before it is installed: it has a model
        toolbar._panel_classes = toolbar._urlpatterns = None
        yield
        store().clear()
    toolbar._panel_classes = toolbar._urlpatterns = None


def store() -> Any:
    return import_module("debug_toolbar.store").get_store()


@pytest.fixture
def shown() -> Shown:
    """What the panel keeps of the last request."""

    def last() -> dict[str, Any]:
        found: dict[str, Any] = store().panel(list(store().request_ids())[-1], PANEL)
        return found

    return last


def html(client: Client) -> str:
    """Return the panel of the last request as the toolbar's script loads it."""
    request_id = list(store().request_ids())[-1]
    answer = client.get("/__debug__/render_panel/", {"request_id": request_id, "panel_id": PANEL}, headers=TOOLBAR)
    return str(answer.json()["content"])


def states(shown: Shown) -> list[tuple[str, str]]:
    return [(event["name"], event["fate"]) for event in shown()["events"]]


def origins(event: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {found["name"]: (found["value"], found["origin"]) for found in event["ids"]}


def test_event_of_a_decorated_view(ada_client: Client, ada: User, shown: Shown) -> None:
    """Its attributes, its ids and what they are from."""
    page = ada_client.get("/panel/report/", headers=TOOLBAR)

    assert "1 event" in page.content.decode()
    (event,) = shown()["events"]
    assert (event["name"], event["fate"], event["reason"]) == ("report.viewed", "sent at once", "")
    assert origins(event) == {"usr.id": (str(ada.pk), "login (request.user)")}
    assert event["attributes"] == '{\n  "report": {\n    "rows": 3\n  }\n}'


@pytest.mark.asyncio
@pytest.mark.parametrize("view", ["report", "report_async"])
async def test_async_chain(ada_async_client: AsyncClient, ada: User, shown: Shown, view: str) -> None:
    """Sync and async views of an async server."""
    await ada_async_client.get(f"/panel/{view}/", headers=TOOLBAR)

    (event,) = shown()["events"]
    assert (event["name"], event["fate"]) == ("report.viewed", "sent at once")
    assert origins(event) == {"usr.id": (str(ada.pk), "login (request.user)")}


def test_async_view_on_a_sync_server(ada_client: Client, shown: Shown) -> None:
    """Django runs it in an event loop of its own."""
    ada_client.get("/panel/report_async/", headers=TOOLBAR)

    assert states(shown) == [("report.viewed", "sent at once")]


COMMITTED = "sent when the transaction committed"
GONE = "vanished with a rollback"


def test_commits_and_rollbacks(ada_client: Client, shown: Shown, events: Events) -> None:
    """The panel agrees with what was delivered."""
    ada_client.get("/panel/commits/", headers=TOOLBAR)

    assert states(shown) == [
        ("page.viewed", "sent at once"),
        ("basket.opened", COMMITTED),
        ("order.placed", GONE),
        ("order.paid", GONE),
    ]
    assert shown()["summary"] == "4 events, 2 not sent"
    assert [event["event"]["name"] for event in events()] == ["page.viewed", "basket.opened"]


def test_outbox(ada_client: Client, shown: Shown, configure: Configure) -> None:
    """A row of a transaction that was rolled back is gone, too."""
    configure(OUTBOX=True)

    ada_client.get("/panel/commits/", headers=TOOLBAR)

    stored = "stored in the outbox"
    assert states(shown) == [
        ("page.viewed", stored),
        ("basket.opened", stored),
        ("order.placed", GONE),
        ("order.paid", GONE),
    ]


@pytest.mark.parametrize(
    ("outbox", "state"), [(False, "waits for the commit"), (True, "in the outbox, waits for the commit")]
)
def test_commit_that_is_still_to_come(
    ada_client: Client, shown: Shown, configure: Configure, outbox: bool, state: str
) -> None:
    """Of a transaction around the whole request, as middleware may open it."""
    configure(OUTBOX=outbox)

    with transaction.atomic():
        ada_client.get("/panel/report/", headers=TOOLBAR)

    assert states(shown) == [("report.viewed", state)]


def test_where_ids_are_from(ada_client: Client, ada: User, shown: Shown, configure: Configure) -> None:
    """The code, a block, a job, the request, and what BEFORE_SEND made of it."""
    configure(ACCOUNT_ID=lambda request: "acme", BEFORE_SEND=censor, JOB_SECRET="secret")

    ada_client.get("/panel/names_ids/", headers=TOOLBAR)

    login, account = (str(ada.pk), "login (request.user)"), ("acme", "ACCOUNT_ID")
    assert {event["name"]: origins(event) for event in shown()["events"]} == {
        "from.request": {"usr.id": login, "account.id": account},
        "from.argument": {"usr.id": ("given", "given to track()")},
        "from.block": {"usr.id": ("bound", "identify() block")},
        "from.job": {"usr.id": ("queuer", "job header"), "account.id": ("other", "identify() block")},
        "user.swapped": {
            "usr.id": ("somebody", "BEFORE_SEND"),
            "account.id": ("", "taken away by BEFORE_SEND"),
        },
    }


@pytest.mark.parametrize(
    ("headers", "changes", "origin"),
    [
        pytest.param(lambda: {"cookie": live_cookie(SESSION)}, {}, "cookie _dd_s_v2", id="v2"),
        pytest.param(lambda: {"cookie": live_cookie(SESSION, "_dd_s")}, {}, "cookie _dd_s", id="v1"),
        pytest.param(lambda: {"baggage": f"session.id={SESSION}"}, {}, "baggage header", id="baggage"),
        pytest.param(dict, {"SESSION_ID": lambda request: SESSION}, "SESSION_ID", id="callable"),
        pytest.param(dict, {"USER_ID": lambda request: "u-1"}, None, id="none"),
    ],
)
def test_where_the_session_is_from(
    shown: Shown,
    configure: Configure,
    headers: Callable[[], dict[str, str]],
    changes: dict[str, Any],
    origin: str | None,
) -> None:
    """Each place that can name it; the emulator's page is one click away, for this session only."""
    configure(**changes)

    Client().get("/panel/report/", headers=TOOLBAR | headers())

    (event,) = shown()["events"]
    assert origins(event).get("session.id") == (None if origin is None else (SESSION, origin))
    link = f"{get_emitter().settings.intake_url}/?q=@session.id:{SESSION}"
    assert event["link"] == (None if origin is None else link)
    if "USER_ID" in changes:
        assert origins(event)["usr.id"] == ("u-1", "USER_ID")


def test_session_fallback(ada_client: Client, shown: Shown, configure: Configure) -> None:
    """The pseudonym is told from a browser session."""
    configure(SESSION_FALLBACK=True)

    ada_client.get("/panel/report/", headers=TOOLBAR)

    assert origins(shown()["events"][0])["session.id"][1] == "SESSION_FALLBACK"


def test_drops_and_repairs(client: Client, shown: Shown, configure: Configure, events: Events) -> None:
    """Each with its reason."""
    configure(STRICT=False, BEFORE_SEND=censor)

    client.get("/panel/drops/", headers=TOOLBAR)

    found = shown()["events"]
    assert [(event["name"], event["reason"]) for event in found] == [
        ("page.viewed", "unlinked"),
        ("noise.made", "before_send"),
        ("(no name)", "invalid"),
        ("<int>", "invalid"),
        ("visit.hidden", "consent"),
        ("order.placed", ""),
    ]
    assert found[2]["problems"] == ["name: must have 1 to 512 printable characters"]
    assert len(found[5]["problems"]) == 2
    assert found[5]["attributes"] == '{\n  "count": 1\n}'
    assert [event["event"]["name"] for event in events()] == ["order.placed"]


def test_strict_mode_raises_and_is_shown(client: Client, shown: Shown) -> None:
    """The exception is the project's to handle; the toolbar tells what it was about all the same."""
    client.raise_request_exception = False

    client.get("/panel/drops/", headers=TOOLBAR)

    assert [(event["name"], event["reason"], event["fate"]) for event in shown()["events"]][-1] == (
        "(no name)",
        "",
        "refused, raised in the code that tracked it",
    )


def test_view_that_fails(ada_client: Client, shown: Shown) -> None:
    """What it tracked before is shown, and nothing is followed afterwards."""
    ada_client.raise_request_exception = False

    assert ada_client.get("/panel/fails/", headers=TOOLBAR).status_code == 500
    assert states(shown) == [("page.viewed", "sent at once")]
    assert follow(None) is None


def test_disabled(client: Client, shown: Shown, configure: Configure) -> None:
    """ENABLED off is said, since it looks like a bug otherwise."""
    configure(ENABLED=False)

    client.get("/panel/many/", {"count": 1}, headers=TOOLBAR)

    assert states(shown) == [("item.listed", "not built: Product Analytics is off (ENABLED)")]
    assert shown()["emulator"] is None


def test_hostile_texts_are_escaped(client: Client, shown: Shown) -> None:
    """In the name, the ids, the attributes and the links; long values are cut."""
    client.get("/panel/hostile/", headers=TOOLBAR)

    content = html(client)
    assert HOSTILE not in content
    assert "</pre>&" not in content.replace("</pre></td>", "")
    assert content.count(escape(HOSTILE)) >= 2
    assert "more characters" in shown()["events"][0]["attributes"]
    assert all(link.startswith("http://127.0.0.1:") for link in re.findall(r'<a href="([^"]*)"', content))


def test_no_secret_is_kept(client: Client, shown: Shown) -> None:
    """No key, and of a cookie nothing but the session's id."""
    client.get("/panel/report/", headers=TOOLBAR | {"cookie": f"{live_cookie(SESSION)}; token=hush-hush"})

    kept = str(shown()) + html(client)
    assert SESSION in kept
    assert not [secret for secret in ("test-key", "hush-hush", "only-for-tests", "expire=") if secret in kept]


def test_no_link_to_an_intake_elsewhere(ada_client: Client, shown: Shown, configure: Configure) -> None:
    """The emulator's page is only on this machine."""
    configure(INTAKE_URL="https://relay.example.com")

    ada_client.get("/panel/report/", headers=TOOLBAR | {"baggage": f"session.id={SESSION}"})

    (event,) = shown()["events"]
    assert (shown()["emulator"], event["link"]) == (None, None)
    assert event["reason"] == "test_run"  # it did not leave


@pytest.mark.parametrize("count", [0, 200, MAX_STEPS + 7])
def test_any_number_of_events(client: Client, shown: Shown, count: int) -> None:
    """None, many, and more than are kept."""
    client.get("/panel/many/", {"count": count}, headers=TOOLBAR)

    assert (len(shown()["events"]), shown()["omitted"]) == (min(count, MAX_STEPS), max(0, count - MAX_STEPS))
    assert shown()["summary"] == (f"{count} events" if count else "no event")
    content = html(client)
    assert content.count("item.listed") == min(count, MAX_STEPS)
    assert ("No event was tracked" in content) is (count == 0)


def test_streamed_body(ada_client: Client, shown: Shown) -> None:
    """Its events come into the toolbar's history when it has ended."""
    response: Any = ada_client.get("/panel/streams/", headers=TOOLBAR)
    before = len(shown()["events"])

    body = response.getvalue()

    assert body.count(b"page") == 2
    assert before == 1
    assert states(shown) == [(name, "sent at once") for name in ("stream.started", "chunk.made", "chunk.made")]
    assert follow(None) is None


@pytest.mark.asyncio
async def test_streamed_async_body(ada_async_client: AsyncClient, shown: Shown) -> None:
    """The same for an async iterator."""
    response: Any = await ada_async_client.get("/panel/streams_async/", headers=TOOLBAR)

    body = [chunk async for chunk in response.streaming_content]

    assert len(body) == 2
    assert states(shown) == [(name, "sent at once") for name in ("stream.started", "chunk.made", "chunk.made")]
    assert follow(None) is None


def test_without_the_toolbar_nothing_is_followed(ada_client: Client, shown: Shown, events: Events) -> None:
    """A request that does not show it, in a process that has shown it before."""
    ada_client.get("/panel/nothing/", headers=TOOLBAR)
    ada_client.get("/panel/report/")

    assert shown()["events"] == []
    assert [event["event"]["name"] for event in events()] == ["report.viewed"]


@pytest.mark.parametrize("headers", [{}, TOOLBAR])
def test_panel_changes_neither_queries_nor_vary(ada_client: Client, headers: dict[str, str]) -> None:
    """Finding out where an id is from asks the database nothing."""
    with CaptureQueriesContext(connection) as queries:
        response = ada_client.get("/panel/report/", headers=headers)

    assert len(queries) == 2  # the session and its user
    assert "Cookie" not in response.headers.get("Vary", "")


def test_commit_is_noticed_in_whatever_thread(emulator: Emulator) -> None:
    """A trail that nobody follows any more still learns what became of its events."""
    panel_log = PanelLog()
    before = follow(panel_log)
    try:
        event = get_emitter().integration.build("order.placed", usr="u")
    finally:
        follow(before)
    assert event is not None

    get_emitter().integration.submit(event)

    assert [step.state for step in panel_log.steps] == ["sent"]
