"""With OUTBOX, events are rows of the transaction in which they were tracked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections, transaction
from django.db.models.signals import post_save
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from dd_pa import BuiltEvent, EventError
from dd_pa.emulator import Emulator
from dd_pa.observe.signals import event_queued
from dd_pa_django import atrack, get_emitter, track
from dd_pa_django.models import OutboxEvent
from dd_pa_django.outbox import writer
from tests.django_app.conftest import Configure
from tests.django_app.models import Order
from tests.django_app.views import ViewError


@pytest.fixture(autouse=True)
def _outbox(_configured: None, configure: Configure) -> None:
    configure(OUTBOX=True)


def stored(using: str = DEFAULT_DB_ALIAS) -> list[str]:
    """The names of the events that wait in a database."""
    return list(OutboxEvent.objects.using(using).order_by("id").values_list("name", flat=True))


def test_event_is_stored_with_its_data_and_delivered_from_there(emulator: Emulator) -> None:
    """Nothing leaves before the deliverer comes; afterwards no row is left."""
    with transaction.atomic():
        Order.objects.create(total=1)
        event_id = track("order.placed", {"total": 1}, usr="u-1")
    before = stored(), emulator.events
    call_command("dd_pa_deliver", once=True)

    [event] = emulator.events
    assert before == (["order.placed"], [])
    assert (event["dd_pa"]["event_id"], event["usr"], event["total"]) == (event_id, {"id": "u-1"}, 1)
    assert stored() == []


def test_event_vanishes_with_its_transaction_or_savepoint() -> None:
    """The database itself takes it away."""
    with transaction.atomic():
        track("basket.opened", usr="u-1")
        with suppress(ViewError), transaction.atomic():
            track("order.placed", usr="u-1")
            raise ViewError
    with suppress(ViewError), transaction.atomic():
        track("order.refused", usr="u-1")
        raise ViewError

    assert stored() == ["basket.opened"]


def test_event_costs_one_query() -> None:
    """In a transaction and outside; only the first of a process has a savepoint."""
    track("page.viewed", usr="u-1")
    with transaction.atomic(), CaptureQueriesContext(connection) as inside:
        track("page.viewed", usr="u-1")
    with CaptureQueriesContext(connection) as outside:
        track("page.viewed", usr="u-1")

    assert (len(inside), len(outside)) == (1, 1)
    assert stored() == ["page.viewed"] * 3


def test_request_that_tracks_nothing_costs_no_query(ada_client: Client) -> None:
    """OUTBOX is no reason for one."""
    with CaptureQueriesContext(connection) as queries:
        ada_client.get("/plain/")

    assert len(queries) == 0


def test_on_commit_false_leaves_at_once(emulator: Emulator) -> None:
    """What must be known although the transaction fails."""
    with suppress(ViewError), transaction.atomic():
        track("payment.tried", usr="u-1", on_commit=False)
        raise ViewError

    assert get_emitter().flush(60)
    assert [event["event"]["name"] for event in emulator.events] == ["payment.tried"]
    assert stored() == []


def test_event_is_stored_in_the_database_of_its_transaction() -> None:
    """So that both are committed, or none."""
    with transaction.atomic(using="other"):
        track("order.placed", usr="u-1")
    track("order.seen", usr="u-1", using="other")

    assert (stored(), stored("other")) == ([], ["order.placed", "order.seen"])


def test_event_vanishes_with_a_broken_transaction() -> None:
    """Tracking works where no query does."""
    with transaction.atomic():
        transaction.set_rollback(True)
        event_id = track("order.placed", usr="u-1")

    assert event_id is not None
    assert stored() == []


def test_receivers_of_all_models_hear_nothing() -> None:
    """An audit log of the application must not keep our rows."""
    heard: list[object] = []

    def hear(sender: object, **kwargs: object) -> None:
        heard.append(sender)

    post_save.connect(hear)
    try:
        track("order.placed", usr="u-1")
    finally:
        post_save.disconnect(hear)

    assert heard == []


def test_queued_is_signalled_when_the_row_is_committed() -> None:
    """Not for what is rolled back."""
    queued: list[str] = []

    def note(sender: object, event: BuiltEvent) -> None:
        queued.append(event.name)

    with event_queued.connected_to(note):
        with transaction.atomic():
            track("order.placed", usr="u-1")
            before = list(queued)
        with suppress(ViewError), transaction.atomic():
            track("order.refused", usr="u-1")
            raise ViewError

    assert (before, queued) == ([], ["order.placed"])


def test_async_code_stores_with_atrack() -> None:
    """In the thread where Django runs queries."""
    async_to_sync(atrack)("order.placed", usr="u-1")

    assert stored() == ["order.placed"]


def test_track_in_async_code_names_atrack(configure: Configure, emulator: Emulator) -> None:
    """Strict mode raises; otherwise the event leaves without the outbox."""

    async def tracks() -> str | None:
        return track("order.placed", usr="u-1")

    with pytest.raises(EventError, match="await atrack"):
        async_to_sync(tracks)()
    configure(OUTBOX=True, STRICT=False)

    assert async_to_sync(tracks)() is not None
    assert get_emitter().flush(60)
    assert len(emulator.events) == 1


@pytest.fixture
def _no_table() -> Iterator[None]:
    """A database that was not migrated."""
    writer._proven.discard("other")
    with connections["other"].schema_editor() as editor:
        editor.delete_model(OutboxEvent)
    yield
    writer._ask_again_at.pop("other", None)
    with connections["other"].schema_editor() as editor:
        editor.create_model(OutboxEvent)


@pytest.mark.usefixtures("_no_table")
def test_missing_table_spoils_nothing(
    configure: Configure, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """The data is committed, and the event leaves on commit as without the outbox."""
    configure(OUTBOX=True, STRICT=False)
    with transaction.atomic(using="other"):
        Order.objects.using("other").create(total=1)
        track("order.placed", usr="u-1")
        track("order.paid", usr="u-1")
        before = get_emitter().stats().queued

    assert (before, Order.objects.using("other").count()) == (0, 1)
    assert get_emitter().flush(60)
    assert len(emulator.events) == 2
    assert "no table dd_pa_outbox in the database 'other': run manage.py migrate" in caplog.text


@pytest.mark.usefixtures("_no_table")
def test_missing_table_is_raised_in_strict_mode() -> None:
    """With the fix."""
    with pytest.raises(DatabaseError, match=r"run manage\.py migrate"), transaction.atomic(using="other"):
        track("order.placed", usr="u-1")


GOOD = {"APPLICATION_ID": "shop", "API_KEY": "k", "INTAKE_URL": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("given", "variables"),
    [
        pytest.param({**GOOD, "OUTBOX": True}, {"DD_PA_TYPO": "1"}, id="a variable that is unknown"),
        pytest.param(GOOD, {"DD_PA_OUTBOX": "1", "DD_PA_TIMEOUT": "soon"}, id="all in the environment"),
        pytest.param({**GOOD, "OUTBOX": True, "API_KEY": None}, {}, id="a key that is missing"),
        pytest.param({**GOOD, "OUTBOX": "yess"}, {}, id="the flag itself"),
        pytest.param({**GOOD, "OUTBOKS": True}, {}, id="its name"),
        pytest.param(GOOD, {"DD_PA_OUTBX": "1"}, id="its name in the environment"),
    ],
)
def test_wrong_settings_commit_no_data_without_its_events(
    given: dict[str, object], variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a script or worker, which runs no system check: what would be tracked raises, and takes the data along."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    @transaction.atomic
    def place() -> None:
        Order.objects.create(total=1)
        track("order.placed", usr="u-1")

    with override_settings(DD_PA=given):
        for _ in range(2):
            with pytest.raises(ImproperlyConfigured):
                place()

    assert not Order.objects.exists()


@pytest.mark.parametrize(
    "given", [{"TYPO": 1}, {"OUTBOX": False, "TYPO": 1}, {"OUTBOX": True, "ENABLED": "0", "TYPO": 1}]
)
def test_wrong_settings_without_an_outbox_stop_nobody(given: dict[str, object]) -> None:
    """As nothing was promised."""
    with override_settings(DD_PA=GOOD | given), transaction.atomic():
        Order.objects.create(total=1)
        assert track("order.placed", usr="u-1") is None

    assert Order.objects.count() == 1


def test_migrations_are_up_to_date() -> None:
    """`makemigrations` has nothing to add."""
    call_command("makemigrations", "dd_pa", check=True, dry_run=True, verbosity=0)
