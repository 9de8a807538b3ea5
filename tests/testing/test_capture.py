"""What a capture holds, and that nothing of it goes any further."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dd_pa import Emitter, Settings, identify
from dd_pa.emulator import Emulator
from dd_pa.observe import signals
from dd_pa.testing import CapturedEvents, TrackedEvent, capture_events
from tests.core.wire import APPLICATION_ID, settings

Make = Callable[..., Emitter]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes emitters with no transport of their own and a real-looking intake."""
    made: list[Emitter] = []

    def make_emitter(**changes: object) -> Emitter:
        made.append(Emitter(settings(**changes)))
        return made[-1]

    yield make_emitter
    for emitter in made:
        emitter.close(0.0)


def test_an_event_is_readable(make: Make) -> None:
    """Name, attributes and ids by themselves, and the whole body as it would have left."""
    emitter = make(service="shop")

    with capture_events() as events:
        event_id = emitter.track("order.placed", {"order": {"total": 42}}, usr=1, account="acme", session="s-1")

    [event] = events
    assert (event.name, event.attributes) == ("order.placed", {"order": {"total": 42}})
    assert (event.usr, event.account, event.session) == ("1", "acme", "s-1")
    assert event.body.pop("dd_pa")["event_id"] == event_id
    assert event.body == {
        "type": "server",
        "service": "shop",
        "application": {"id": APPLICATION_ID},
        "event": {"name": "order.placed"},
        "usr": {"id": "1"},
        "account": {"id": "acme"},
        "session": {"id": "s-1"},
        "order": {"total": 42},
    }
    assert str(event) == "order.placed {\"order\": {\"total\": 42}} usr='1' account='acme' session='s-1'"


def test_it_is_a_sequence_up_to_date_at_each_look(make: Make) -> None:
    """No event has to be waited for."""
    emitter = make()

    with capture_events() as events:
        assert (list(events), len(events), events.names) == ([], 0, [])
        emitter.track("a.b", usr=1)
        assert events.names == ["a.b"]
        emitter.track("c.d", usr=1)
        assert (events[-1].name, [event.name for event in events[:1]]) == ("c.d", ["a.b"])
        assert repr(events) == "<CapturedEvents ['a.b', 'c.d']>"


def test_nothing_goes_any_further(make: Make, tmp_path: Path, emulator: Emulator) -> None:
    """No thread, no file, no request, also where there is an intake on this machine; `flush()` has nothing to do."""
    with emulator.running() as url, capture_events() as events:
        before = set(threading.enumerate())
        emitter = make(spool_dir=str(tmp_path / "spool"), intake_url=url)
        emitter.track("a.b", usr=1)
        assert emitter.flush(0)
        assert set(threading.enumerate()) <= before
        assert emitter.stats().queued == 0
        emitter.close()

    assert (events.names, emulator.events, list(tmp_path.iterdir())) == (["a.b"], [], [])


def test_after_the_block_events_go_their_way(make: Make, emulator: Emulator) -> None:
    """And what the block held, it holds."""
    with emulator.running() as url:
        emitter = make(intake_url=url)
        with capture_events() as events:
            emitter.track("inside.block", usr=1)
        emitter.track("after.block", usr=1)
        assert emitter.flush(60)

    assert events.names == ["inside.block"]
    assert [event["event"]["name"] for event in emulator.events] == ["after.block"]


def test_blocks_may_be_nested(make: Make) -> None:
    """A fixture and a part of the test: an event belongs to all blocks around it."""
    emitter = make()

    with capture_events() as outer:
        emitter.track("a.b", usr=1)
        with capture_events() as inner:
            emitter.track("c.d", usr=1)
        emitter.track("e.f", usr=1)

    assert (outer.names, inner.names) == (["a.b", "c.d", "e.f"], ["c.d"])


def test_a_block_may_be_for_some_emitters(make: Make, emulator: Emulator) -> None:
    """Others are left alone."""
    with emulator.running() as url:
        one, other = make(), make(intake_url=url)
        with capture_events(one) as events:
            one.track("a.b", usr=1)
            other.track("c.d", usr=1)
            other.track("nobody.there")
        assert other.flush(60)

    assert (events.names, len(emulator.events)) == (["a.b"], 1)
    with pytest.raises(AssertionError) as caught:
        events.assert_tracked("nobody.there")
    assert "not kept" not in str(caught.value)


def test_all_threads_are_seen(make: Make) -> None:
    """A live server works in others."""
    emitter = make()

    with capture_events() as events:
        threads = [threading.Thread(target=emitter.track, args=("a.b",), kwargs={"usr": n}) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(str(event.usr) for event in events) == [str(n) for n in range(8)]


def test_the_order_is_that_of_tracking(make: Make) -> None:
    """Not of submitting: events that waited for a commit stand where they happened."""
    emitter = make()

    with capture_events() as events:
        first = emitter.integration.build("first.built", usr=1)
        emitter.track("second.tracked", usr=1)
        assert first is not None
        emitter.integration.submit(first)

    assert events.names == ["first.built", "second.tracked"]


def test_an_event_that_is_never_submitted_was_not_tracked(make: Make) -> None:
    """It vanished with its transaction."""
    with capture_events() as events:
        make().integration.build("a.b", usr=1)

    events.assert_nothing_tracked()


def test_a_block_ends_with_an_error(make: Make) -> None:
    """The next test's events are its own."""
    with pytest.raises(ZeroDivisionError), capture_events() as events:
        _ = 1 / 0
    make().track("a.b", usr=1)

    events.assert_nothing_tracked()


def test_signals_are_sent_as_usual(make: Make) -> None:
    """What the application does on `event_queued` is under test too."""
    heard: list[object] = []

    def hear(sender: object, **_: object) -> None:
        heard.append(sender)

    emitter = make()
    with signals.event_queued.connected_to(hear), capture_events():
        emitter.track("a.b", usr=1)

    assert heard == [emitter]


def test_a_closed_emitter_takes_no_events(make: Make) -> None:
    """A test sees the mistake that production would."""
    emitter = make()
    emitter.close()

    with capture_events() as events:
        assert emitter.track("a.b", usr=1) is None

    events.assert_nothing_tracked()


def failure(check: Callable[[], object]) -> str:
    """Return what an assertion says when it fails."""
    with pytest.raises(AssertionError) as caught:
        check()
    return str(caught.value)


def test_what_was_not_kept_is_said(make: Make) -> None:
    """The reason is what one looks for when an event is missing."""
    with capture_events() as events:
        make().track("nobody.there")
        make().track("nobody.there")
        make(enabled=False).track("switched.off", usr=1)
        with identify(usr=1, consent=False):
            make().track("not.agreed")

    assert failure(lambda: events.assert_tracked("nobody.there")).splitlines() == [
        "'nobody.there' was not tracked",
        "no events were tracked in all",
        "not kept: nobody.there (unlinked, 2 times)",
        "not kept: switched.off (ENABLED is False)",
        "not kept: not.agreed (consent)",
    ]


def test_outside_of_a_capture_a_test_run_holds_events_back(make: Make, tmp_path: Path) -> None:
    """They are counted; no thread is started, nothing is written."""
    before = set(threading.enumerate())
    emitter = make(spool_dir=str(tmp_path / "spool"))

    assert emitter.track("a.b", usr=1) is None
    assert emitter.stats().dropped == {"test_run": 1}
    assert set(threading.enumerate()) <= before
    assert list(tmp_path.iterdir()) == []


def test_a_look_makes_new_objects() -> None:
    """What a test does to one event is not in the next."""
    emitter = Emitter(Settings(application_id="a", api_key="k"))
    with capture_events() as events:
        emitter.track("a.b", {"list": [1]}, usr=1)
        events[0].attributes["list"].append(2)

        assert isinstance(events, CapturedEvents)
        assert isinstance(events[0], TrackedEvent)
        assert events[0].attributes == {"list": [1]}
