"""The outbox in the admin: who sees what, and who may have rejected events delivered again."""

from __future__ import annotations

import time
from collections.abc import Callable
from html.parser import HTMLParser
from io import StringIO

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings

from dd_pa_django.models import OutboxEvent
from tests.django_app.conftest import Configure

LIST = "/admin/dd_pa/outboxevent/"
HOSTILE = "<img src=x onerror=alert(1)>\u202etxt"


def event(name: str = "order.placed", *, rejected: bool = True, days: float = 0.0, body: bytes = b"{}") -> OutboxEvent:
    moment = int((time.time() - days * 86400) * 1000)
    state = {"state": "rejected", "reason": "400", "detail": "<b>no</b>", "rejected_at": moment} if rejected else {}
    return OutboxEvent.objects.create(event_id="0" * 32, name=name, occurred_at=moment, body=body, **state)


@pytest.fixture(autouse=True)
def _outbox(_configured: None, configure: Configure) -> None:
    configure(OUTBOX=True)


Staff = Callable[..., Client]


@pytest.fixture
def staff() -> Staff:
    """Signs a member of the staff in, with some permissions on outbox events."""

    ContentType.objects.clear_cache()  # each test begins with empty tables
    create_permissions(apps.get_app_config("dd_pa"), verbosity=0)

    def sign_in(*permissions: str) -> Client:
        user = User.objects.create_user("staff", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=[f"{p}_outboxevent" for p in permissions]))
        client = Client(enforce_csrf_checks=True)
        client.force_login(user)
        return client

    return sign_in


class Form(HTMLParser):
    """The hidden fields of a page, and the names of all attributes of its elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.attributes |= given.keys()
        if tag == "input" and given.get("type") == "hidden":
            self.fields[str(given["name"])] = str(given["value"])


def choose(client: Client, *events: OutboxEvent) -> Form:
    """Pick events of the list and the action, and return the page that asks."""
    token = Form(client.get(LIST).content.decode()).fields["csrfmiddlewaretoken"]
    chosen = [str(event.pk) for event in events]
    answer = client.post(LIST, {"action": "retry", "_selected_action": chosen, "csrfmiddlewaretoken": token})
    assert answer.status_code == 200
    return Form(answer.content.decode())


@pytest.mark.parametrize(
    ("permissions", "status"), [pytest.param((), 403, id="none"), pytest.param(("retry",), 403, id="retry alone")]
)
def test_without_the_view_permission_nothing_is_seen(staff: Staff, permissions: tuple[str, ...], status: int) -> None:
    """Neither the list nor an event."""
    row = event()
    client = staff(*permissions)

    assert [client.get(page).status_code for page in (LIST, f"{LIST}{row.pk}/change/")] == [status, status]


def test_nothing_can_be_added_changed_or_deleted(client: Client) -> None:
    """Not even by a superuser."""
    client.force_login(User.objects.create_superuser("root"))
    row = event()
    pages = [f"{LIST}add/", f"{LIST}{row.pk}/delete/"]
    changed = client.post(f"{LIST}{row.pk}/change/", {"name": "other"})

    assert [client.get(page).status_code for page in pages] == [403, 403]
    assert changed.status_code == 403
    assert "delete_selected" not in client.get(LIST).content.decode()


def test_hostile_texts_are_only_shown(staff: Staff) -> None:
    """In the list, on the event's page and on the one that asks: no element of theirs, no letter that turns others."""
    row = event(HOSTILE, body=b'{"note": "</pre><script>alert(1)</script>\\u202e"}')
    client = staff("view", "retry")
    pages = [client.get(LIST).content.decode(), client.get(f"{LIST}{row.pk}/change/").content.decode()]
    asked = choose(client, row)

    for page in pages:
        assert "&lt;img src=x onerror=alert(1)&gt;\\u202etxt" in page
    assert "&lt;/pre&gt;&lt;script&gt;alert(1)&lt;/script&gt;\\u202e" in pages[1]
    assert "&lt;b&gt;no&lt;/b&gt;" in pages[1]
    assert "onerror" not in asked.attributes.union(*(Form(page).attributes for page in pages))
    assert "\u202e" not in "".join(pages)


def test_list_says_nothing_of_what_events_say(staff: Staff) -> None:
    """Nor does the search look into them."""
    event(body=b'{"usr": {"id": "ada-lovelace"}}')
    client = staff("view")

    assert "ada-lovelace" not in client.get(LIST).content.decode()
    assert "0 outbox" in client.get(LIST, {"q": "ada-lovelace"}).content.decode()
    assert "1 outbox" in client.get(LIST, {"q": "order.pla"}).content.decode()


@pytest.mark.parametrize(
    ("status", "count"), [("waiting", 2), ("claimed", 1), ("rejected", 1)], ids=["waiting", "claimed", "rejected"]
)
def test_list_is_filtered_by_status(staff: Staff, status: str, count: int) -> None:
    """What is being delivered is what a living deliverer holds."""
    event()
    now = int(time.time() * 1000)
    for until in (0, now - 1000, now + 3_600_000):
        row = event(rejected=False)
        OutboxEvent.objects.filter(pk=row.pk).update(claimed_until=until)

    assert f"{count} outbox" in staff("view").get(LIST, {"status": status}).content.decode()


def test_retry_needs_its_own_permission(staff: Staff) -> None:
    """Seeing is not enough: the action is neither offered nor done."""
    row = event()
    client = staff("view")
    page = client.get(LIST).content.decode()
    token = client.cookies["csrftoken"].value if "csrftoken" in client.cookies else "x" * 32
    client.post(
        LIST,
        {"action": "retry", "_selected_action": row.pk, "confirmed": "yes", "csrfmiddlewaretoken": token},
    )

    assert 'value="retry"' not in page
    assert OutboxEvent.objects.get().state == "rejected"


def test_retry_asks_and_is_written_down(staff: Staff) -> None:
    """Only what was rejected waits again, and the log knows who did it."""
    rejected, waiting = event("order.placed"), event("order.paid", rejected=False)
    client = staff("view", "retry")
    asked = choose(client, rejected, waiting)
    before = OutboxEvent.objects.get(pk=rejected.pk).state
    chosen = {**asked.fields, "_selected_action": [str(rejected.pk), str(waiting.pk)]}
    answer = client.post(LIST, chosen, follow=True)

    assert (asked.fields["action"], before) == ("retry", "rejected")
    assert "1 event put back, to be delivered again." in answer.content.decode()
    row = OutboxEvent.objects.get(pk=rejected.pk)
    assert (row.state, row.reason, row.detail, row.rejected_at) == ("waiting", "", "", None)
    [entry] = LogEntry.objects.all()
    assert (entry.user.get_username(), entry.change_message) == ("staff", "1 event put back, to be delivered again.")


def test_retry_of_all_is_one_statement_and_one_entry(staff: Staff) -> None:
    """However many they are, and whatever the list is filtered and sorted by."""
    first, *_ = [event(f"order.{number}") for number in range(70)]
    client = staff("view", "retry")
    asked = choose(client, first)
    chosen = {**asked.fields, "_selected_action": str(first.pk), "select_across": "1"}
    with CaptureQueriesContext(connection) as queries:
        client.post(f"{LIST}?status=rejected&o=-3", chosen)
    written = [query["sql"].split()[:2] for query in queries if query["sql"].startswith(("UPDATE", "INSERT"))]

    assert OutboxEvent.objects.filter(state="waiting").count() == 70
    assert written == [["UPDATE", '"dd_pa_outbox"'], ["INSERT", "INTO"]]
    assert LogEntry.objects.get().change_message == "70 events put back, to be delivered again."


def test_nothing_shows_where_the_outbox_is_off(configure: Configure, client: Client) -> None:
    """Not even to a superuser."""
    client.force_login(User.objects.create_superuser("root"))
    row = event()
    pages = ["/admin/", LIST, f"{LIST}{row.pk}/change/"]
    on = [client.get(page).status_code for page in pages], "utbox" in client.get("/admin/").content.decode()
    configure()
    off = [client.get(page).status_code for page in pages], "utbox" in client.get("/admin/").content.decode()

    assert on == ([200, 200, 200], True)
    assert off == ([200, 403, 403], False)


def test_retry_without_a_token_is_refused(staff: Staff) -> None:
    """No other site's page can do it, and no GET."""
    row = event()
    client = staff("view", "retry")
    answer = client.post(LIST, {"action": "retry", "_selected_action": row.pk, "confirmed": "yes"})
    client.get(LIST, {"action": "retry", "_selected_action": str(row.pk), "confirmed": "yes"})

    assert answer.status_code == 403
    assert OutboxEvent.objects.get().state == "rejected"


def test_prune_deletes_what_was_rejected_long_ago() -> None:
    """Not what waits, however old."""
    event("new", days=29)
    event("old", days=31)
    event("waiting", rejected=False, days=99)
    said = StringIO()
    call_command("dd_pa_prune", stdout=said)

    assert said.getvalue() == "1 rejected events deleted\n"
    assert sorted(OutboxEvent.objects.values_list("name", flat=True)) == ["new", "waiting"]


def test_prune_refuses_nonsense() -> None:
    """Before it deletes anything."""
    with pytest.raises(CommandError, match="--days must be 0 or more"):
        call_command("dd_pa_prune", days=-1.0)
    with pytest.raises(CommandError, match="no database 'nowhere'"):
        call_command("dd_pa_prune", database="nowhere")


@pytest.mark.parametrize("use_tz", [True, False])
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("occurred_at", "yesterday"),
        ("occurred_at", b"\xff"),
        ("occurred_at", 2**63 - 1),
        ("occurred_at", -(2**63)),
        ("occurred_at", 253_402_300_799_999),
        ("occurred_at", -62_135_596_800_000),
        ("occurred_at", float("inf")),
        ("rejected_at", "yesterday"),
        ("rejected_at", 2**63 - 1),
        ("claimed_until", "tomorrow"),
        ("claims", "often"),
        ("body", "text"),
        ("body", 7),
        ("body", b"\xff"),
        ("name", 7),
        ("name", b"\xff"),
        ("event_id", 7),
        ("detail", 7),
        ("reason", b"\xff"),
        ("state", "unheard of"),
    ],
)
def test_a_bad_row_breaks_no_page(column: str, value: str | bytes | float, use_tz: bool, staff: Staff) -> None:
    """Whoever has written it: SQLite keeps any value in any column. The others are shown, and so is it."""
    rows = [event("order.first"), event("order.bad"), event("order.waits", rejected=False)]
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE dd_pa_outbox SET {column} = %s WHERE id = %s", [value, rows[1].pk])  # noqa: S608
    client = staff("view", "retry")
    with override_settings(USE_TZ=use_tz, TIME_ZONE="Pacific/Kiritimati"):
        for page in (f"{LIST}?o=3", f"{LIST}?status=rejected", f"{LIST}{rows[1].pk}/change/"):
            assert client.get(page).status_code == 200
        shown = client.get(LIST).content.decode()

    assert "order.first" in shown
    assert "order.waits" in shown
