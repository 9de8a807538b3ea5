from __future__ import annotations

import gc
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from dd_pa import Emitter, EventDraft, EventError, Identity
from dd_pa.emulator import Emulator
from dd_pa.observe import signals
from tests.core.attribute_values import ANYTHING, MARK, Endless, Failing
from tests.core.wire import event, parsed, settings, without_ids

Make = Callable[..., Emitter]
REASONS = ["invalid", "unlinked", "before_send"]


def attributes_of(emitter: Emitter, attributes: Any = None) -> dict[str, Any]:
    """Return the attributes of an event that is built now."""
    built = emitter.integration.build("x.y", attributes, usr="u-1")
    assert built is not None
    body = without_ids(built.body)
    return {key: value for key, value in body.items() if key not in event("x.y", usr="u-1")}


@contextmanager
def dropped_by(emitter: Emitter) -> Iterator[list[tuple[Any, Any, Any]]]:
    """Collect what `event_dropped` says of an emitter."""
    heard: list[tuple[Any, Any, Any]] = []

    def receive(sender: object, *, event: Any, name: Any, reason: Any) -> None:
        heard.append((event, name, reason))

    with signals.event_dropped.connected_to(receive, sender=emitter):
        yield heard


def test_a_built_event_waits_for_nobody(make: Make, emulator: Emulator) -> None:
    """Building stores nothing and starts nothing; submitting later delivers what was true then."""
    threads = threading.active_count()
    emitter = make()
    attributes = {"total": 1}
    built = emitter.integration.build("order.placed", attributes, usr="u-1")
    assert built is not None
    attributes["total"] = 2

    assert (threading.active_count(), emitter.stats().queued, emitter.stats().state) == (threads, 0, "idle")
    assert emitter.integration.submit(built)
    assert emitter.flush(60)
    assert [body["total"] for body in emulator.events] == [1]
    assert emulator.events[0]["dd_pa"] == {"event_id": built.id, "occurred_at": built.occurred_at}


def test_track_is_build_and_submit(make: Make, emulator: Emulator) -> None:
    """It returns the id that the event has on the wire."""
    emitter = make()

    event_id = emitter.track("order.placed", {"total": 1}, usr=5, account="acme", session="s-1")

    assert emitter.flush(60)
    [body] = emulator.events
    assert body.pop("dd_pa")["event_id"] == event_id
    assert body == event("order.placed", {"total": 1}, usr="5", account="acme", session="s-1")


@pytest.mark.parametrize(
    ("name", "attributes", "path"),
    [
        pytest.param("", None, "name", id="name"),
        pytest.param(None, None, "name", id="no-name"),
        pytest.param("x.y", {"usr.id": MARK}, "usr.id", id="reserved"),
        pytest.param("x.y", {"order": {"total": float("nan")}}, "order.total", id="nan"),
        pytest.param("x.y", [MARK], "attributes", id="no-mapping"),
        pytest.param("x.y", {"a": MARK * 100_000}, "", id="size"),
        pytest.param("x.y", Failing(), "attributes", id="failing-mapping"),
    ],
)
def test_strict_mode_raises(name: Any, attributes: Any, path: str, make: Make) -> None:
    """The error is an `EventError` of `track()` itself, says where, and quotes nothing."""
    emitter = make(strict=True)
    with pytest.raises(EventError) as caught:
        emitter.track(name, attributes, usr="u-1")

    assert caught.value.path == path
    assert MARK not in str(caught.value)
    assert emitter.stats().dropped == {}


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        pytest.param("", None, id="empty-name"),
        pytest.param("x.y\nCRITICAL forged", None, id="forged-name"),
        pytest.param("x" * 10_000, None, id="long-name"),
        pytest.param([MARK], None, id="no-name"),
        pytest.param(10**10_000, None, id="name-without-repr"),
        pytest.param(Failing(), None, id="failing-name"),
        pytest.param("x.y", [MARK], id="no-mapping"),
        pytest.param("x.y", {"a": MARK * 100_000}, id="size"),
    ],
)
def test_lenient_mode_drops_what_cannot_be_repaired(
    name: Any, attributes: Any, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Counted and signalled by its name, logged without a value, in one line, once per interval."""
    emitter = make()
    with dropped_by(emitter) as heard:
        assert [emitter.track(name, attributes, usr="u-1") for _ in range(3)] == [None] * 3

    assert emitter.stats().dropped == {"invalid": 3}
    assert heard == [(None, name, "invalid")] * 3
    assert len(caplog.records) == 2
    assert all(record.getMessage().isprintable() for record in caplog.records)
    assert all(len(record.getMessage()) < 500 for record in caplog.records)
    assert MARK not in caplog.text


def test_lenient_mode_repairs_what_it_can(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """The event is sent without what is wrong in it; counted once per event and said once per interval."""
    emitter = make()

    assert attributes_of(emitter, {"a": float("nan"), "b": b"x", "c": 1}) == {"c": 1}
    assert attributes_of(emitter, {"usr": {"id": "admin"}, "c": 2}) == {"c": 2}
    assert (emitter.stats().repaired, emitter.stats().dropped) == (2, {})
    assert [record.getMessage() for record in caplog.records] == [
        "an event was sent without what is wrong in it: 'a: is not a finite number'; set STRICT to raise"
    ]


@pytest.mark.parametrize("strict", [pytest.param(True, id="strict"), pytest.param(False, id="lenient")])
def test_an_event_of_nobody_is_no_error(strict: bool, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """In strict mode neither: counted, signalled, and said once."""
    emitter = make(strict=strict)
    with dropped_by(emitter) as heard:
        assert [emitter.track("page.viewed") for _ in range(3)] == [None] * 3

    assert emitter.stats().dropped == {"unlinked": 3}
    assert heard == [(None, "page.viewed", "unlinked")] * 3
    assert len([record for record in caplog.records if "unlinked" in record.getMessage()]) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("x.y", {"a": 1}), id="good"),
        pytest.param(("", [1]), id="bad"),
        pytest.param((None, Endless()), id="endless"),
    ],
)
def test_disabled_does_nothing(arguments: Any, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is checked, counted, logged, pulled or started, strict or not."""

    def never(*_: object) -> Any:
        pytest.fail("asked although disabled")

    emitter = make(identity=never, enabled=False, strict=True, before_send=never, api_key=None, application_id="")

    assert emitter.integration.build(*arguments, usr="u-1") is None
    assert emitter.track(*arguments, usr="u-1") is None
    assert (emitter.stats().dropped, emitter.stats().queued, caplog.records) == ({}, 0, [])
    assert emitter.flush(0)


def test_before_send_sees_the_draft_and_changes_it(make: Make) -> None:
    """With the ids found by then, before anything is checked; in place or by another draft."""
    seen: list[EventDraft] = []

    def in_place(draft: EventDraft) -> EventDraft:
        seen.append(
            EventDraft(name=draft.name, attributes=dict(draft.attributes), usr=draft.usr, session=draft.session)
        )
        draft.name, draft.session = "changed", None
        draft.attributes |= {"b": 2}
        return draft

    emitter = make(identity=lambda: Identity(usr="u-1"), before_send=in_place)
    attributes = {"a": 1}
    built = emitter.integration.build("x.y", attributes, session="s-1")
    assert built is not None

    assert seen == [EventDraft(name="x.y", attributes={"a": 1}, usr="u-1", session="s-1")]
    assert without_ids(built.body) == event("changed", {"a": 1, "b": 2}, usr="u-1")
    assert (built.name, attributes) == ("changed", {"a": 1})


def test_before_send_may_return_another_draft(make: Make) -> None:
    """What it says counts, ids of other types included."""
    other: Any = EventDraft(name="other", attributes={"b": 1}, account=7)  # type: ignore[arg-type]  # as users would
    built = make(before_send=lambda draft: other).integration.build("x.y", {"a": 1}, usr="u-1")
    assert built is not None

    assert without_ids(built.body) == event("other", {"b": 1}, account="7")


def test_before_send_may_remove_everybody(make: Make) -> None:
    """Then the event is unlinked; that it sees unlinked events gives it the chance to link them."""
    remove = make(before_send=lambda draft: EventDraft(name=draft.name))
    link = make(before_send=lambda draft: EventDraft(name=draft.name, usr="u-1"), strict=True)

    assert remove.integration.build("x.y", usr="u-1") is None
    assert remove.stats().dropped == {"unlinked": 1}
    assert link.integration.build("x.y") is not None


@pytest.mark.parametrize("strict", [pytest.param(True, id="strict"), pytest.param(False, id="lenient")])
def test_before_send_drops_by_none(strict: bool, make: Make) -> None:
    """Counted and signalled; no error in any mode."""
    emitter = make(before_send=lambda draft: None, strict=strict)
    with dropped_by(emitter) as heard:
        assert emitter.track("x.y", usr="u-1") is None

    assert (emitter.stats().dropped, heard) == ({"before_send": 1}, [(None, "x.y", "before_send")])


def fail(draft: EventDraft) -> EventDraft:
    raise RuntimeError(MARK)


@pytest.mark.parametrize(
    ("before_send", "error"),
    [
        pytest.param(fail, RuntimeError, id="raises"),
        pytest.param(lambda draft: True, TypeError, id="flag"),
        pytest.param(lambda draft: {"name": "x"}, TypeError, id="dict"),
        pytest.param(lambda: None, TypeError, id="no-argument"),
    ],
)
def test_a_failing_before_send_drops_the_event(
    before_send: Any, error: type[Exception], make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be there to protect people, so nothing leaves; strict mode raises what it raised."""
    lenient = make(before_send=before_send)

    assert lenient.track("x.y", {"a": 1}, usr="u-1") is None
    assert lenient.stats().dropped == {"before_send": 1}
    assert MARK not in caplog.text
    with pytest.raises(error):
        make(before_send=before_send, strict=True).track("x.y", {"a": 1}, usr="u-1")


def spoil(draft: EventDraft) -> EventDraft:
    draft.attributes["usr"] = {"id": "admin"}
    draft.attributes["total"] = float("nan")
    return draft


def test_what_before_send_adds_is_checked_too(make: Make) -> None:
    """It comes before the checks, not after them."""
    assert attributes_of(make(before_send=spoil), {"a": 1}) == {"a": 1}
    with pytest.raises(EventError, match="usr: is a reserved name"):
        make(before_send=spoil, strict=True).integration.build("x.y", {"a": 1}, usr="u-1")


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param([("a", 1)], id="pairs"),
        pytest.param(Failing(), id="failing"),
        pytest.param(5, id="number"),
    ],
)
def test_attributes_that_cannot_be_copied_for_before_send(attributes: Any, make: Make) -> None:
    """An `EventError` as without it, before it is called."""

    def never(draft: EventDraft) -> EventDraft:
        pytest.fail("called with what is no draft")

    lenient = make(before_send=never)

    assert lenient.integration.build("x.y", attributes, usr="u-1") is None
    assert lenient.stats().dropped == {"invalid": 1}
    with pytest.raises(EventError, match="attributes: "):
        make(before_send=never, strict=True).integration.build("x.y", attributes, usr="u-1")


def test_before_send_gets_a_bounded_copy(make: Make) -> None:
    """Of a mapping without end, too."""
    emitter = make(before_send=lambda draft: draft)

    assert len(attributes_of(emitter, Endless())) < 1000
    assert emitter.stats().repaired == 1


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_the_end_of_the_process_is_not_held_up(error: type[BaseException], make: Make) -> None:
    """What is no `Exception` goes through BEFORE_SEND and attributes, in lenient mode too."""

    def leave(draft: EventDraft) -> EventDraft:
        raise error

    with pytest.raises(error):
        make(before_send=leave).track("x.y", usr="u-1")


def test_glue_counts_what_it_could_not_work_out(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """`drop_invalid` is for decorators whose own callables fail: the class is logged, the text may quote a value."""
    emitter = make()
    emitter.integration.drop_invalid("x.y", KeyError(MARK))

    assert emitter.stats().dropped == {"invalid": 1}
    assert "'KeyError'" in caplog.text
    assert MARK not in caplog.text
    with pytest.raises(KeyError):
        make(strict=True).integration.drop_invalid("x.y", KeyError(MARK))


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError(MARK)


def test_an_error_that_cannot_be_printed_is_survived(make: Make) -> None:
    """The text of a foreign error is made by the code that failed."""
    emitter = make()
    emitter.integration.drop_invalid("x.y", UnprintableError())

    assert emitter.stats().dropped == {"invalid": 1}


def test_an_emitter_that_tracked_nothing_leaves_nothing() -> None:
    """No thread, no reference from anywhere: applications make them in tests by the hundred."""
    before = set(threading.enumerate())
    emitters = [Emitter(settings()) for _ in range(10)]
    built = [emitter.integration.build("x.y", usr="u-1") is not None for emitter in emitters]
    left = [weakref.ref(emitter) for emitter in emitters]
    emitters.clear()
    gc.collect()

    assert set(threading.enumerate()) <= before  # threads of earlier tests may end meanwhile
    assert built == [True] * 10
    assert [reference() for reference in left] == [None] * 10


@hypothesis_settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANYTHING, ANYTHING.filter(lambda name: not issubclass(type(name), str)))
def test_lenient_mode_never_raises(attributes: Any, name: Any) -> None:
    """Whatever is passed as attributes, name or id, with and without BEFORE_SEND: an event or a counted drop."""
    records: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record.getMessage())

    transport = httpx.ASGITransport(app=Emulator())
    emitters = [Emitter(settings(before_send=hook), transport=transport) for hook in (None, lambda draft: draft)]
    logger, handler = logging.getLogger("dd_pa"), Collect()
    logger.addHandler(handler)
    try:
        for emitter in emitters:
            built = [
                emitter.integration.build("x.y", attributes, usr="u-1"),
                emitter.integration.build(name, attributes, usr=name, account=name),
            ]
            assert sum(emitter.stats().dropped.values()) == built.count(None)
            assert all(parsed(found.body) for found in built if found)
    finally:
        logger.removeHandler(handler)
    assert all(record.isprintable() for record in records)
    assert not [record for record in records if MARK in record]
