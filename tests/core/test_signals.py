from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from blinker import NamedSignal

from dd_pa import Emitter
from dd_pa.emulator import Emulator
from dd_pa.observe import signals
from tests.core.intakes import QUICK, settings_for, track

ALL: list[NamedSignal] = [
    signals.event_queued,
    signals.event_delivered,
    signals.event_rejected,
    signals.event_dropped,
    signals.delivery_paused,
    signals.delivery_resumed,
]


@pytest.fixture
def emulator() -> Emulator:
    """An emulator without a socket."""
    return Emulator()


@pytest.fixture
def emitter(emulator: Emulator) -> Iterator[Emitter]:
    """Sends to the emulator in the same process."""
    settings = settings_for("http://127.0.0.1:1", buffer_size=5)
    with Emitter(settings, transport=httpx.ASGITransport(app=emulator), retry=QUICK) as emitter:
        yield emitter


@pytest.fixture
def heard(emitter: Emitter) -> Iterator[list[tuple[str, str, dict[str, Any]]]]:
    """Fills with signal, thread and values of the emitter's signals."""
    heard: list[tuple[str, str, dict[str, Any]]] = []

    def receiver(name: str) -> Any:
        return lambda sender, **values: heard.append((name, threading.current_thread().name, values))

    receivers = [(signal, receiver(signal.name)) for signal in ALL]
    for signal, listener in receivers:
        signal.connect(listener, sender=emitter)
    yield heard
    for signal, listener in receivers:
        signal.disconnect(listener, sender=emitter)


def test_an_event_is_queued_then_delivered(emitter: Emitter, heard: list[tuple[str, str, dict[str, Any]]]) -> None:
    """Queued on the thread that tracked, delivered on the delivery thread, with the same event."""
    event = emitter.integration.build("order.placed", usr="u")
    assert event is not None
    emitter.integration.submit(event)

    assert emitter.flush(60)
    assert sorted(heard) == [
        ("event-delivered", "dd-pa-delivery", {"event": event}),
        ("event-queued", threading.current_thread().name, {"event": event}),
    ]


def test_a_rejected_event_comes_with_the_intakes_words(
    emitter: Emitter, emulator: Emulator, heard: list[tuple[str, str, dict[str, Any]]]
) -> None:
    """Reason and detail are texts."""
    emulator.fail(400)
    track(emitter, 1)

    assert emitter.flush(60)
    rejected = [values for name, _, values in heard if name == "event-rejected"]
    assert [(values["reason"], values["detail"]) for values in rejected] == [("400", "fault on demand")]


def test_drops_come_with_their_reason(emitter: Emitter, heard: list[tuple[str, str, dict[str, Any]]]) -> None:
    """Also for an event that was never built."""
    emitter.track("nobody.did_it")
    emitter.track("", usr="u")
    emitter.close()
    emitter.track("too.late", usr="u")

    dropped = [(values["name"], values["reason"]) for name, _, values in heard if name == "event-dropped"]
    assert dropped == [("nobody.did_it", "unlinked"), ("", "invalid"), ("too.late", "closed")]


@pytest.mark.parametrize("signal", [signals.event_queued, signals.event_delivered], ids=lambda signal: signal.name)
def test_a_receiver_that_raises_harms_nobody(
    emitter: Emitter, emulator: Emulator, signal: NamedSignal, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged by class, as its text may hold anything; the other receivers and the delivery go on."""
    heard: list[object] = []

    def fail(sender: object, **values: Any) -> None:
        raise ValueError("card 4111-1111")

    def note(sender: object, **values: Any) -> None:
        heard.append(values)

    with (
        signal.connected_to(fail, sender=emitter),
        signal.connected_to(note, sender=emitter),
        caplog.at_level(logging.ERROR, logger="dd_pa"),
    ):
        track(emitter, 3)
        assert emitter.flush(60)

    assert (len(heard), len(emulator.events)) == (3, 3)
    assert caplog.messages == [f"a receiver of {signal.name} failed: ValueError"] * 3


def test_a_receiver_that_exits_does_not_end_the_delivery(emitter: Emitter, emulator: Emulator) -> None:
    """SystemExit on the delivery thread costs a restart of its loop, no event."""
    exited = threading.Event()

    def leave(sender: object, **values: Any) -> None:
        if not exited.is_set():
            exited.set()
            raise SystemExit

    with signals.event_delivered.connected_to(leave, sender=emitter):
        track(emitter, 3)
        assert emitter.flush(60)

    assert exited.is_set()
    assert len({event["dd_pa"]["event_id"] for event in emulator.events}) == 3


def test_a_receiver_may_flush_and_close(emitter: Emitter, emulator: Emulator) -> None:
    """On the delivery thread both return at once instead of waiting for themselves."""
    results: list[bool] = []
    done = threading.Event()

    def flush_then_close(sender: object, **values: Any) -> None:
        results.append(emitter.flush(60))
        emitter.close(60)
        done.set()

    with signals.event_delivered.connected_to(flush_then_close, sender=emitter):
        track(emitter, 1)
        assert done.wait(5)

    assert results == [True]
    assert emitter.stats().state == "closed"


def test_other_emitters_are_not_heard(emitter: Emitter, heard: list[tuple[str, str, dict[str, Any]]]) -> None:
    """The sender is the emitter."""
    settings = settings_for("http://127.0.0.1:1")
    with Emitter(settings, transport=httpx.ASGITransport(app=Emulator())) as other:
        track(other, 1)
        assert other.flush(60)

    assert heard == []
