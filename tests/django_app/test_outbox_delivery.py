"""What `manage.py dd_pa_deliver` makes of the rows, of an intake that fails and of other deliverers."""

from __future__ import annotations

import time
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from dd_pa.emulator import Emulator
from dd_pa.outbox import Counts, OutboxDeliverer
from dd_pa_django import get_emitter, track
from dd_pa_django.models import OutboxEvent
from dd_pa_django.outbox.table import DjangoTable
from tests.django_app.conftest import Configure

HOUR = 3_600_000


@pytest.fixture(autouse=True)
def _outbox(_configured: None, configure: Configure) -> None:
    configure(OUTBOX=True)


def now() -> int:
    return time.time_ns() // 1_000_000


def deliver(**options: object) -> str:
    """Deliver what waits, and return what the command says."""
    said = StringIO()
    call_command("dd_pa_deliver", once=True, stderr=said, **options)
    return said.getvalue()


def names(emulator: Emulator) -> list[str]:
    return [event["event"]["name"] for event in emulator.events]


def test_command_says_what_it_did(emulator: Emulator) -> None:
    """A line at the start, and one at the end."""
    for _ in range(3):
        track("order.placed", usr="u-1")
    start, end = deliver().splitlines()

    assert start.startswith(f"dd-pa delivers from the outbox to {get_emitter().settings.intake_url} as ")
    assert end.startswith("3 events delivered, 0 rejected in ")
    assert len(emulator.events) == 3


def test_more_rows_than_a_batch(emulator: Emulator) -> None:
    """They are claimed bit by bit, and each is delivered once."""
    for number in range(600):
        track("order.placed", {"number": number}, usr="u-1")
    deliver()

    assert sorted(event["number"] for event in emulator.events) == list(range(600))
    assert not OutboxEvent.objects.exists()


def test_what_the_intake_refuses_is_kept_with_its_words(emulator: Emulator) -> None:
    """The others leave."""
    emulator.fail(status=400, times=1)
    track("order.placed", usr="u-1")
    deliver()
    [row] = OutboxEvent.objects.all()
    track("order.paid", usr="u-1")
    deliver()

    assert (row.state, row.reason, row.claims, row.claimed_until) == ("rejected", "400", 1, 0)
    assert row.detail
    assert row.rejected_at is not None
    assert abs(row.rejected_at - now()) < HOUR
    assert names(emulator) == ["order.paid"]
    assert DjangoTable("default").counts(now()) == Counts(waiting=0, claimed=0, rejected=1)


def test_words_that_no_database_keeps() -> None:
    """NUL, a letter beyond the character set and a long text do not hold up the outbox."""
    track("order.placed", usr="u-1")
    table = DjangoTable("default")
    deliverer = OutboxDeliverer(get_emitter().settings, table)
    [row] = table.claim(9, owner=deliverer.owner, now=now(), until=now() + HOUR)
    deliverer._store.give([row], time.monotonic() + 60)
    [event] = deliverer._store.take(1)
    deliverer._store.reject(event, "400", "a\0b\U0001f600" + "x" * 1000)
    deliverer._lessee.write()

    [kept] = OutboxEvent.objects.all()
    assert kept.detail == "a?b\\U0001f600" + "x" * 387


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"no event", id="no JSON"),
        pytest.param(
            b'{"event":{"name":"a"},"application":{"id":"theirs"},"dd_pa":{"event_id":"1","occurred_at":1}}',
            id="another application's",
        ),
    ],
)
def test_row_that_is_none_of_ours_is_set_aside(body: bytes, emulator: Emulator) -> None:
    """It is never sent, and does not hold up the others."""
    OutboxEvent.objects.create(event_id="1", name="a", occurred_at=now(), body=body)
    track("order.placed", usr="u-1")
    deliver()

    assert names(emulator) == ["order.placed"]
    assert [(row.state, row.reason) for row in OutboxEvent.objects.all()] == [("rejected", "damaged")]


def test_event_stored_twice_is_sent_once(emulator: Emulator) -> None:
    """Both rows leave."""
    track("order.placed", usr="u-1")
    row = OutboxEvent.objects.get()
    OutboxEvent.objects.create(event_id=row.event_id, name=row.name, occurred_at=row.occurred_at, body=bytes(row.body))
    deliver()

    assert len(emulator.events) == 1
    assert not OutboxEvent.objects.exists()


def test_refused_key_leaves_the_rows_to_others(emulator: Emulator) -> None:
    """The command fails, and no row stays claimed."""
    emulator.fail(status=403)
    track("order.placed", usr="u-1")

    with pytest.raises(CommandError, match="events are left in the outbox"):
        deliver()

    assert DjangoTable("default").counts(now()) == Counts(waiting=1, claimed=0, rejected=0)


def test_late_event_without_a_session_left_is_set_aside(emulator: Emulator) -> None:
    """The rule of the four hours holds here too."""
    late = now() - 5 * HOUR
    common = f'"application":{{"id":"shop"}},"dd_pa":{{"event_id":"1","occurred_at":{late}}},"session":{{"id":"s"}}'
    OutboxEvent.objects.create(
        event_id="1", name="a", occurred_at=late, body=f'{{"event":{{"name":"a"}},{common}}}'.encode()
    )
    deliver()

    assert emulator.events == []
    assert [row.reason for row in OutboxEvent.objects.all()] == ["late_session"]


def test_rows_of_a_living_deliverer_are_left_alone(emulator: Emulator) -> None:
    """Those of a dead one come back when its lease ends."""
    track("order.placed", usr="u-1")
    table = DjangoTable("default")
    claimed = table.claim(9, owner="other", now=now(), until=now() + HOUR)
    deliver()
    before = names(emulator)
    table.renew([claimed[0].id], owner="other", until=now() - 1)
    deliver()

    assert (before, names(emulator)) == ([], ["order.placed"])


def test_all_databases_are_delivered_from(emulator: Emulator) -> None:
    """At once, each by a deliverer of its own; the default is the routers' database alone."""
    track("order.placed", usr="u-1")
    track("order.paid", usr="u-1", using="other")
    deliver()
    before = names(emulator)
    said = deliver(all_databases=True)

    assert before == ["order.placed"]
    assert sorted(names(emulator)) == ["order.paid", "order.placed"]
    assert "dd-pa delivers from the outbox other to" in said
    assert not OutboxEvent.objects.using("other").exists()


def test_a_database_that_fails_keeps_no_other(emulator: Emulator) -> None:
    """It is told of, and the command fails in the end."""
    track("order.placed", usr="u-1")
    said = StringIO()
    with connections["other"].cursor() as cursor:
        cursor.execute("ALTER TABLE dd_pa_outbox RENAME COLUMN claims TO claim")
        track("order.paid", usr="u-1", using="other")
        try:
            with pytest.raises(CommandError, match="events are left"):
                call_command("dd_pa_deliver", once=True, all_databases=True, stderr=said)
        finally:
            cursor.execute("ALTER TABLE dd_pa_outbox RENAME COLUMN claim TO claims")

    assert names(emulator) == ["order.placed"]
    assert "the outbox other cannot be used" in said.getvalue()


def test_stats_know_the_age_of_the_oldest_row(emulator: Emulator) -> None:
    """Whoever holds it."""
    OutboxEvent.objects.create(event_id="1", name="a", occurred_at=now() - HOUR, body=b"{}", claimed_until=now() + HOUR)
    deliverer = OutboxDeliverer(get_emitter().settings, DjangoTable("default"))
    before = deliverer.stats().oldest_pending_age
    deliverer.run(once=True)
    age = deliverer.stats().oldest_pending_age

    assert before is None
    assert age is not None
    assert 3600 <= age < 3700
