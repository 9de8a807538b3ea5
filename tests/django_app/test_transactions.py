"""An event agrees with the database: it leaves when the data is committed, and vanishes with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec

import pytest
from asgiref.sync import async_to_sync
from django.db import DatabaseError, connections, transaction
from django.test import AsyncClient, Client, TestCase

from dd_pa import BuiltEvent
from dd_pa.observe.signals import event_queued
from dd_pa_django import atrack, track
from tests.django_app.conftest import Configure, Events
from tests.django_app.models import Order
from tests.django_app.views import ViewError

Names = Callable[[], list[str]]
Track = Callable[..., str | None]


def track_async(name: str, **options: object) -> str | None:
    """Track from a coroutine that sync code calls."""
    return async_to_sync(atrack)(name, **options)  # type: ignore[arg-type]  # passed on as they are


both = pytest.mark.parametrize("fire", [pytest.param(track, id="track"), pytest.param(track_async, id="atrack")])


@pytest.fixture
def names(events: Events) -> Names:
    """The names of what was delivered."""
    return lambda: [event["event"]["name"] for event in events()]


@both
def test_event_leaves_on_commit(fire: Track, names: Names) -> None:
    """Nothing is sent before."""
    with transaction.atomic():
        event_id = fire("order.placed", usr="u-1")
        before = names()

    assert event_id is not None
    assert (before, names()) == ([], ["order.placed"])


@both
def test_event_vanishes_on_rollback(fire: Track, names: Names) -> None:
    """What did not happen is not reported."""
    with suppress(ViewError), transaction.atomic():
        fire("order.placed", usr="u-1")
        raise ViewError

    assert names() == []


def test_event_vanishes_with_its_savepoint(names: Names) -> None:
    """Only what was tracked inside of the block that failed."""
    with transaction.atomic():
        track("basket.opened", usr="u-1")
        with suppress(ViewError), transaction.atomic():
            track("order.placed", usr="u-1")
            raise ViewError
        with transaction.atomic():
            track("order.refused", usr="u-1")

    assert names() == ["basket.opened", "order.refused"]


def test_event_vanishes_with_a_broken_transaction(names: Names) -> None:
    """Tracking still works where no query does, until the rollback."""
    with transaction.atomic():
        transaction.set_rollback(True)
        track("order.placed", usr="u-1")

    assert names() == []


@both
def test_on_commit_false_sends_at_once(fire: Track, names: Names) -> None:
    """For what happened whatever becomes of the data: a payment that was tried."""
    with suppress(ViewError), transaction.atomic():
        fire("payment.tried", usr="u-1", on_commit=False)
        raise ViewError

    assert names() == ["payment.tried"]


@pytest.mark.parametrize(
    ("on_commit", "expected"), [pytest.param(None, ["order.placed"], id="default"), pytest.param(True, [], id="asked")]
)
def test_on_commit_can_be_set_for_all(
    configure: Configure, names: Names, on_commit: bool | None, expected: list[str]
) -> None:
    """ON_COMMIT=False sends at once, unless a call asks to wait."""
    configure(ON_COMMIT=False)

    with suppress(ViewError), transaction.atomic():
        track("order.placed", usr="u-1", on_commit=on_commit)
        raise ViewError

    assert names() == expected


def test_outside_of_a_transaction_an_event_leaves_at_once(names: Names) -> None:
    """Also when a connection is open."""
    Order.objects.create(total=1)
    track("order.placed", usr="u-1", on_commit=True)

    assert names() == ["order.placed"]


def test_default_database_decides_before_others(names: Names) -> None:
    """When several are in a transaction and none is named."""
    with transaction.atomic(), suppress(ViewError), transaction.atomic(using="other"):
        track("order.placed", usr="u-1")
        raise ViewError

    assert names() == ["order.placed"]


@pytest.mark.parametrize("using", [pytest.param(None, id="found"), pytest.param("other", id="named")])
def test_another_database_decides_when_it_alone_is_in_a_transaction_or_named(names: Names, using: str | None) -> None:
    """The event belongs to the data of that database."""
    Order.objects.create(total=1)
    with suppress(ViewError), transaction.atomic(using="other"):
        track("order.placed", usr="u-1", using=using)
        raise ViewError
    with transaction.atomic(using="other"):
        track("order.changed", usr="u-1", using=using)

    assert names() == ["order.changed"]


def test_named_database_decides_inside_a_transaction_of_default(names: Names) -> None:
    """`using` wins over `default`, and sends at once if that database is in no transaction."""
    with suppress(ViewError), transaction.atomic():
        with transaction.atomic(using="other"):
            track("other.committed", usr="u-1", using="other")
        track("other.idle", usr="u-1", using="other")
        raise ViewError

    assert names() == ["other.committed", "other.idle"]


def test_unknown_database_is_the_callers_error(configure: Configure, names: Names) -> None:
    """Strict mode names it; otherwise the event is not lost for it."""
    with pytest.raises(ValueError, match="no database 'othre' in DATABASES"):
        track("order.placed", usr="u-1", using="othre")
    configure(STRICT=False)

    track("order.placed", usr="u-1", using="othre")

    assert names() == ["order.placed"]


def test_autocommit_switched_off_by_hand(names: Names) -> None:
    """There is no commit hook then: the event leaves at once, and nothing is raised."""
    transaction.set_autocommit(False)
    try:
        Order.objects.create(total=1)
        track("order.placed", usr="u-1", on_commit=True)
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)

    assert names() == ["order.placed"]


def test_identity_and_attributes_are_those_of_the_moment(events: Events) -> None:
    """What changes between `track` and the commit does not change the event."""
    order = {"total": 1}
    with transaction.atomic():
        track("order.placed", {"order": order}, usr="u-1")
        order["total"] = 2

    assert events() == [{"event": {"name": "order.placed"}, "usr": {"id": "u-1"}, "order": {"total": 1}}]


def test_view_whose_transaction_fails(ada_client: Client, names: Names) -> None:
    """Through Django's handler: the order that was rolled back is not reported."""
    with pytest.raises(ViewError):
        ada_client.get("/checks_out/?fail")
    ada_client.get("/checks_out/")

    assert names() == ["checkout.completed"]
    assert Order.objects.count() == 1


@pytest.fixture
def _atomic_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)


@pytest.mark.usefixtures("_atomic_requests")
def test_atomic_requests(ada_client: Client, names: Names) -> None:
    """Events of views and decorators wait for the request's transaction."""
    ada_client.get("/tracking/")
    ada_client.get("/report/")
    with pytest.raises(ViewError):
        ada_client.get("/checks_out/?fail")

    assert names() == ["page.viewed", "report.viewed"]


@pytest.mark.usefixtures("_atomic_requests")
@pytest.mark.asyncio
async def test_atomic_requests_under_asgi(ada_async_client: AsyncClient, names: Names) -> None:
    """The same in the thread of an async server."""
    await ada_async_client.get("/tracking/")

    assert names() == ["page.viewed"]


def test_inside_a_test_case_the_callbacks_are_captured(names: Names) -> None:
    """A TestCase never commits: its own tool runs what waits."""
    with suppress(ViewError), transaction.atomic():
        with TestCase.captureOnCommitCallbacks(execute=True) as callbacks:
            track("order.placed", usr="u-1")
        raise ViewError

    assert (len(callbacks), names()) == (1, ["order.placed"])


@pytest.fixture
def postgres() -> Iterator[str]:
    """A schema of its own on this machine's PostgreSQL, with the table of the orders."""
    if find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed")
    schema = f"dd_pa_test_{os.getpid()}"
    given = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "USER": "postgres",
        "NAME": "postgres",
        "OPTIONS": {"connect_timeout": 3, "options": f"-c search_path={schema}"},
    }
    connections.settings["postgres"] = connections.configure_settings({"default": {}, "postgres": given})["postgres"]
    connection = connections["postgres"]
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        del connections["postgres"], connections.settings["postgres"]
        pytest.skip(f"no PostgreSQL on 127.0.0.1:5432: {error}")
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {schema}")
    with connection.schema_editor() as editor:
        editor.create_model(Order)
    yield "postgres"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA {schema} CASCADE")
    connection.close()
    del connections["postgres"], connections.settings["postgres"]


def test_events_agree_with_postgres(postgres: str, events: Events) -> None:
    """Commits, rollbacks and an error of the server itself: as many events as rows, and the same ones."""
    for total in range(6):
        with suppress(ViewError, DatabaseError), transaction.atomic(using=postgres):
            order = Order.objects.using(postgres).create(total=total)
            track("order.placed", {"total": total}, usr="u-1")
            with suppress(ViewError), transaction.atomic(using=postgres):
                track("order.reconsidered", usr="u-1")
                raise ViewError
            if total % 3 == 1:
                raise ViewError
            if total % 3 == 2:
                Order.objects.using(postgres).create(pk=order.pk, total=0)

    rows = Order.objects.using(postgres).order_by("pk").values_list("total", flat=True)
    assert [event["total"] for event in events()] == [int(total) for total in rows] == [0, 3]


@pytest.mark.parametrize("outbox", [False, True])
def test_a_hook_of_somebody_else_that_raises_takes_no_event_along(configure: Configure, outbox: bool) -> None:
    """Django forgets all hooks that come after it, although the transaction has committed."""
    configure(OUTBOX=outbox)
    queued: list[str] = []

    def note(sender: object, event: BuiltEvent) -> None:
        queued.append(event.name)

    def fail() -> None:
        raise ViewError

    @transaction.atomic
    def place() -> None:
        track("order.seen", usr="u-1")
        transaction.on_commit(fail)
        track("order.placed", usr="u-1")

    with event_queued.connected_to(note):
        for _ in range(2):
            with pytest.raises(ViewError):
                place()
        with transaction.atomic():
            track("order.paid", usr="u-1")

    assert queued == [*["order.seen", "order.placed"] * 2, "order.paid"]
