"""An emitter from its first event to the end of its process: flush, close, threads, exit and fork."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dd_pa import Emitter, RetryPolicy
from dd_pa.emulator import Emulator
from dd_pa.observe import signals
from dd_pa.process.uptime import uptime
from tests.core.intakes import (
    KEY,
    NEVER,
    QUICK,
    TRANSPORTS,
    Emitters,
    Post,
    RawIntake,
    accept,
    ids,
    settings_for,
    track,
)
from tests.waiting import PATIENCE, wait_until

FOUR_HOURS = 4 * 3600


@pytest.fixture(params=[pytest.param(name, id=name) for name in TRANSPORTS])
def make_emitter(request: pytest.FixtureRequest) -> Iterator[Emitters]:
    """Makes emitters over httpx, and over our own HTTP/2."""
    emitters = Emitters(TRANSPORTS[request.param])
    yield emitters
    emitters.close()


@pytest.fixture
def intake() -> Iterator[RawIntake]:
    """An intake that takes everything."""
    intake = RawIntake(accept)
    with intake.running():
        yield intake


@pytest.fixture
def hung() -> Iterator[RawIntake]:
    """An intake that takes requests and never answers."""

    async def hang(post: Post, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(600)

    intake = RawIntake(hang)
    with intake.running():
        yield intake


def delivery_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "dd-pa-delivery"]


def threads_end() -> bool:
    """Tell whether every delivery thread ends; on a busy machine one outlives `close()`, which keeps its deadline."""
    for thread in delivery_threads():
        thread.join(PATIENCE)
    return delivery_threads() == []


def arrived(intake: RawIntake) -> list[str]:
    return ids([post.event for post in intake.posts])


def test_nothing_starts_before_the_first_event(intake: RawIntake, make_emitter: Emitters) -> None:
    """Making, flushing, asking and closing cost no thread and no connection."""
    before = set(threading.enumerate())
    emitter = make_emitter(intake.url)

    assert (emitter.flush(0), emitter.flush(5), emitter.stats().state) == (True, True, "idle")
    emitter.close()
    assert set(threading.enumerate()) <= before
    assert (intake.connections, emitter.stats().state) == (0, "closed")


def test_the_thread_has_a_name_and_does_not_hold_the_process(intake: RawIntake, make_emitter: Emitters) -> None:
    """One daemon thread for any number of events."""
    emitter = make_emitter(intake.url)
    track(emitter, 50)
    assert emitter.flush(60)

    [thread] = delivery_threads()
    assert thread.daemon
    assert emitter.stats().state == "running"


def test_fifty_emitters_leave_nothing_behind(intake: RawIntake, make_emitter: Emitters) -> None:
    """No thread and no file descriptor, whatever the transport."""
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("counts descriptors in /proc")
    with Emitter(settings_for(intake.url)) as first:  # what is made once per process is made now
        track(first, 1)
    gc.collect()
    before = len(list(descriptors.iterdir()))
    for _ in range(50):
        settings = settings_for(intake.url)
        with Emitter(settings, transport=make_emitter.make_transport(settings)) as emitter:
            track(emitter, 1)
    del emitter
    gc.collect()

    assert len(intake.posts) == 51
    assert threads_end()
    # The intake, in this process too, may still be closing its ends.
    wait_until(lambda: len(list(descriptors.iterdir())) <= before)


def test_flush_does_not_wait_for_what_comes_meanwhile(intake: RawIntake, make_emitter: Emitters) -> None:
    """While another thread tracks without end, flush() returns as soon as what was before it is delivered."""
    emitter = make_emitter(intake.url)
    stop = threading.Event()

    def track_on() -> None:
        while not stop.wait(0.001):
            track(emitter, 1)

    thread = threading.Thread(target=track_on)
    thread.start()
    try:
        mine = track(emitter, 20)
        assert emitter.flush(60)
        assert set(mine) <= set(arrived(intake))
    finally:
        stop.set()
        thread.join()


def test_flush_from_several_threads(intake: RawIntake, make_emitter: Emitters) -> None:
    """Each waits for its own, also when all are the first."""
    emitter = make_emitter(intake.url)
    results: list[bool] = []

    def track_and_flush() -> None:
        mine = track(emitter, 10)
        results.append(emitter.flush(10) and set(mine) <= set(arrived(intake)))

    threads = [threading.Thread(target=track_and_flush) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (results, len(delivery_threads())) == ([True] * 8, 1)
    assert len(arrived(intake)) == 80


def test_flush_gives_up_in_time(hung: RawIntake, make_emitter: Emitters) -> None:
    """It says so, leaves nothing behind, and nothing is dropped."""
    emitter = make_emitter(hung.url)
    track(emitter, 5)

    assert not emitter.flush(0.2)
    assert (emitter.stats().pending, emitter.stats().dropped) == (5, {})


def test_flush_ends_when_another_thread_closes(hung: RawIntake, make_emitter: Emitters) -> None:
    """Whoever waits for a delivery that has ended does not wait for the clock."""
    emitter = make_emitter(hung.url)
    track(emitter, 1)
    hung.wait_for(1)
    closer = threading.Timer(0.1, emitter.close, (0.0,))
    closer.start()
    emitter.flush(600)
    closer.join()

    assert (emitter.stats().dropped, emitter.stats().pending) == ({"shutdown": 1}, 0)


def test_flush_after_close_returns_at_once(intake: RawIntake, make_emitter: Emitters) -> None:
    """There is nothing to wait for."""
    emitter = make_emitter(intake.url)
    track(emitter, 1)
    emitter.close()

    assert emitter.flush(600)


def test_leaving_the_block_delivers(intake: RawIntake, make_emitter: Emitters) -> None:
    """Also by an exception."""
    tracked: list[str] = []
    emitter = make_emitter(intake.url, shutdown_timeout=60)

    def track_and_fail() -> None:
        with emitter:
            tracked.extend(track(emitter, 30))
            raise KeyError

    with pytest.raises(KeyError):
        track_and_fail()

    assert arrived(intake) == tracked
    assert emitter.stats().state == "closed"


def test_close_keeps_its_deadline(hung: RawIntake, make_emitter: Emitters, caplog: pytest.LogCaptureFixture) -> None:
    """With an intake that hangs it takes SHUTDOWN_TIMEOUT; the rest is counted, signalled and logged in one line."""
    emitter = make_emitter(hung.url, shutdown_timeout=0.5, timeout=600)
    dropped: list[str] = []
    signals.event_dropped.connect(
        lambda sender, event, name, reason: dropped.append(f"{event.id} {reason}"), sender=emitter, weak=False
    )
    tracked = track(emitter, 200)
    hung.wait_for(1)
    with caplog.at_level(logging.WARNING, logger="dd_pa"):
        emitter.close()

    assert sorted(dropped) == [f"{event_id} shutdown" for event_id in tracked]
    assert caplog.messages == [
        "0 events delivered, 200 lost: they could not be delivered in 0.5 seconds (SHUTDOWN_TIMEOUT)"
    ]
    stats = emitter.stats()
    assert (stats.queued, stats.pending, stats.dropped, stats.state) == (200, 0, {"shutdown": 200}, "closed")
    assert threads_end()


def test_closing_twice_and_tracking_afterwards(intake: RawIntake, make_emitter: Emitters) -> None:
    """The second close does nothing; an event after it is counted and not kept."""
    emitter = make_emitter(intake.url)
    tracked = track(emitter, 1)
    emitter.close()
    emitter.close()

    assert emitter.track("too.late", usr="u") is None
    assert (emitter.stats().dropped, arrived(intake)) == ({"closed": 1}, tracked)


def test_closing_beside_tracking_loses_nothing_uncounted(intake: RawIntake, make_emitter: Emitters) -> None:
    """Every event that threads track while another closes is delivered or counted."""
    emitter = make_emitter(intake.url, shutdown_timeout=0.3)
    start, calls = threading.Barrier(5), Counter[str]()
    lock = threading.Lock()

    def track_much() -> None:
        start.wait()
        for _ in range(2000):
            emitter.track("order.placed", usr="u")
        with lock:
            calls["made"] += 2000

    threads = [threading.Thread(target=track_much) for _ in range(4)]
    for thread in threads:
        thread.start()
    start.wait()
    emitter.close()
    for thread in threads:
        thread.join()

    stats = emitter.stats()
    assert (stats.pending, stats.delivered + sum(stats.dropped.values())) == (0, calls["made"])


def test_overflow_is_counted_exactly(hung: RawIntake, make_emitter: Emitters) -> None:
    """With several threads: what was tracked is what waits and what was dropped."""
    emitter = make_emitter(hung.url, buffer_size=50, concurrency=4)
    threads = [threading.Thread(target=track, args=(emitter, 500)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = emitter.stats()

    assert stats.pending + stats.dropped["overflow"] == 2000 == stats.queued
    assert stats.pending <= 50 + 4 + len(threads)


def test_with_drop_newest_track_says_that_it_was_not_kept(hung: RawIntake, make_emitter: Emitters) -> None:
    """The oldest stay; `queued` counts what was accepted."""
    emitter = make_emitter(hung.url, buffer_size=10, concurrency=1, overflow="drop_newest")
    first = emitter.track("order.placed", usr="u")
    hung.wait_for(1)
    results = [emitter.track("order.placed", usr="u") for _ in range(15)]

    assert first is not None
    assert [result is not None for result in results] == [True] * 10 + [False] * 5
    stats = emitter.stats()
    assert (stats.queued, stats.pending, stats.dropped) == (11, 11, {"overflow": 5})


def put_before(emitter: Emitter, seconds: float, *, usr: str | None = None, session: str | None = None) -> str:
    """Have an event wait since so long ago, with no delivery yet; return its id."""
    event = emitter.integration.build("order.placed", usr=usr, session=session)
    assert event is not None
    store: Any = emitter._pipelines.current._store
    store._uptime = lambda: uptime() - seconds
    assert store.put(event)
    store._uptime = uptime
    return event.id


def test_an_event_that_is_too_old_expires(intake: RawIntake, make_emitter: Emitters) -> None:
    """After MAX_AGE it is dropped and counted, the younger ones are sent."""
    emitter = make_emitter(intake.url, max_age=3600)
    put_before(emitter, 3601, usr="u")
    young = put_before(emitter, 3500, usr="u")

    assert emitter.flush(60)
    assert (arrived(intake), emitter.stats().dropped, emitter.stats().queued) == ([young], {"expired": 1}, 2)


def test_a_late_event_claims_no_session(intake: RawIntake, make_emitter: Emitters) -> None:
    """After four hours its session is a plain attribute; before, it is the session."""
    emitter = make_emitter(intake.url)
    in_time = put_before(emitter, FOUR_HOURS - 3000, usr="u", session="s")
    late = put_before(emitter, FOUR_HOURS + 1, usr="u", session="s")

    assert emitter.flush(60)
    sent = {post.event["dd_pa"]["event_id"]: post.event for post in intake.posts}
    assert sent[in_time]["session"] == {"id": "s"}
    assert "session" not in sent[late]
    assert sent[late]["dd_pa"]["session_id"] == "s"


def test_a_late_event_of_nobody_is_rejected_by_us(hung: RawIntake, make_emitter: Emitters) -> None:
    """Without an answer of the intake, so that it says nothing about the intake either."""
    emitter = make_emitter(hung.url)
    reasons: list[str] = []
    signals.event_rejected.connect(
        lambda sender, event, reason, detail: reasons.append(reason), sender=emitter, weak=False
    )
    put_before(emitter, FOUR_HOURS + 1, session="s")

    assert emitter.flush(60)
    assert (reasons, emitter.stats().rejected, hung.posts) == (["late_session"], 1, [])


class Raising(httpx.AsyncBaseTransport):
    """Raises each of some errors once, then delivers."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.delivered = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.errors:
            raise self.errors.pop()
        self.delivered += 1
        return httpx.Response(202)


class Panic(BaseException):
    """What a panic in Rust looks like from Python: no Exception."""


def test_the_delivery_survives_whatever_a_transport_raises() -> None:
    """Also what is no Exception; the event is tried again."""
    errors = [ValueError(KEY), asyncio.CancelledError(), SystemExit(3), KeyboardInterrupt(), Panic(), MemoryError()]
    transport = Raising(*errors, OSError(5, "x"), RuntimeError("loop"), GeneratorExit(), StopAsyncIteration())
    emitter = Emitter(settings_for("http://127.0.0.1:1"), transport=transport, retry=QUICK)
    track(emitter, 20)

    assert emitter.flush(60)
    assert (transport.delivered, emitter.stats().retried) == (20, 10)
    emitter.close()


def test_the_numbers_tell_the_truth_in_each_state() -> None:
    """Idle, running, backing off, paused and closed, with the age of what waits."""
    emulator = Emulator()
    settings = settings_for("http://127.0.0.1:1", shutdown_timeout=0.0)
    emitter = Emitter(settings, transport=httpx.ASGITransport(app=emulator), retry=NEVER)
    states = [emitter.stats().state]
    track(emitter, 2)
    assert emitter.flush(60)
    states.append(emitter.stats().state)
    emulator.fail(503, times=None)
    track(emitter, 1)
    while emitter.stats().retried == 0:  # a busy machine takes longer to hear of the failure
        emitter.flush(0.3)
    states.append(emitter.stats().state)
    stats = emitter.stats()

    assert (stats.queued, stats.delivered, stats.retried, stats.pending, stats.last_error) == (3, 2, 1, 1, "503")
    assert 0.2 < (stats.oldest_pending_age or 0) < 60
    emitter.close()
    states.append(emitter.stats().state)
    assert states == ["idle", "running", "backing_off", "closed"]
    stats = emitter.stats()
    assert (stats.queued, stats.pending, stats.oldest_pending_age, stats.dropped) == (3, 0, None, {"shutdown": 1})


SCRIPT = """
import os, sys, threading
from dd_pa import Emitter, RetryPolicy, Settings
settings = Settings(
    application_id="shop", api_key="k" * 32, intake_url=sys.argv[1], timeout=300.0, shutdown_timeout=float(sys.argv[2]),
    spool_dir=None, transport=next(iter(sys.argv[3:]), "auto"),
)
emitter = Emitter(settings, retry=RetryPolicy(base=0.02, cap=0.1))
"""


def run(script: str, *args: object) -> subprocess.CompletedProcess[str]:
    """Run a script that begins with SCRIPT, and return how it ended."""
    command = [sys.executable, "-W", "always", "-c", SCRIPT + script, *map(str, args)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        try:
            out, err = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


@pytest.fixture(params=["httpx", "auto"])
def extra(request: pytest.FixtureRequest) -> str:
    """The setting TRANSPORT."""
    return str(request.param)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_end_of_a_script_delivers(intake: RawIntake, extra: str, host: str) -> None:
    """Also its only event, tracked with the last line, and a host whose name must be looked up."""
    script = 'emitter.track("job.done", usr="u"); print("end", flush=True)'
    ended = run(script, intake.url.replace("127.0.0.1", host), 10, extra)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "end\n", "")
    assert len(intake.posts) == 1


def test_the_end_of_a_script_keeps_the_deadline(hung: RawIntake, extra: str) -> None:
    """An intake that hangs holds no process up, and the loss is said once."""
    script = """
for _ in range(50):
    emitter.track("job.done", usr="u")
emitter.flush(0.2)
print("end", flush=True)
"""
    ended = run(script, hung.url, 0.5, extra)

    assert (ended.returncode, ended.stdout) == (0, "end\n")
    lines = [line for line in ended.stderr.splitlines() if "lost" in line]
    assert lines == ["0 events delivered, 50 lost: they could not be delivered in 0.5 seconds (SHUTDOWN_TIMEOUT)"]


FORK = """
for _ in range(30):
    emitter.track("parent.did", usr="u")
if "busy" not in sys.argv:
    emitter.flush(10)
children = []
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        assert emitter.stats().pending == 0 and emitter.stats().delivered == 0 and emitter.stats().state == "idle"
        for _ in range(10):
            emitter.track("child.did", usr="u")
        if "exit" in sys.argv:
            sys.exit(0)  # atexit runs, the parent's registrations included
        assert emitter.flush(60)
        emitter.close()
        assert emitter.stats().delivered == 10, emitter.stats()
        os._exit(0)
    children.append(pid)
for _ in range(10):
    emitter.track("parent.did", usr="u")
codes = [os.waitpid(pid, 0)[1] for pid in children]
emitter.close()
assert emitter.stats().delivered == 40, emitter.stats()
print(codes, flush=True)
"""


@pytest.mark.parametrize("busy", [pytest.param("busy", id="while delivering"), pytest.param("", id="at rest")])
@pytest.mark.parametrize("way", [pytest.param("exit", id="sys.exit"), pytest.param("", id="flush")])
def test_a_forked_child_sends_its_own_events_only(intake: RawIntake, extra: str, busy: str, way: str) -> None:
    """The child starts empty and delivers; the parent's events are sent by the parent, once; nobody hangs."""
    ended = run(FORK, intake.url, 10, extra, busy, way)

    assert (ended.returncode, ended.stdout) == (0, "[0, 0, 0]\n"), ended.stderr
    assert "lost" not in ended.stderr
    assert "Traceback" not in ended.stderr
    names = Counter(post.event["event"]["name"] for post in intake.posts)
    assert names == {"parent.did": 40, "child.did": 30}
    assert len(set(arrived(intake))) == 70


def test_a_child_that_tracks_nothing_ends_at_once(hung: RawIntake, extra: str) -> None:
    """What the parent could not deliver is no business of the child's exit."""
    script = """
for _ in range(20):
    emitter.track("parent.did", usr="u")
emitter.flush(0.2)
pid = os.fork()
if pid == 0:
    sys.exit(0)
code = os.waitpid(pid, 0)[1]
names = [thread.name for thread in threading.enumerate()]
print(code, names.count("dd-pa-delivery"), emitter.stats().pending, flush=True)
os._exit(0)
"""
    ended = run(script, hung.url, 200, extra)

    assert (ended.returncode, ended.stdout) == (0, "0 1 20\n")
    assert "lost" not in ended.stderr


def test_the_delivery_thread_imports_nothing(intake: RawIntake, extra: str) -> None:
    """A fork in the middle of an import would leave the module's lock taken in the child, for ever."""
    script = """
late = []
class Watch:
    def find_spec(self, name, path=None, target=None):
        if threading.current_thread() is not threading.main_thread():
            late.append(name)
sys.meta_path.insert(0, Watch())
emitter.track("job.done", usr="u")
assert emitter.flush(60)
print([name for name in late if name in sys.modules], flush=True)
"""
    ended = run(script, intake.url.replace("127.0.0.1", "localhost"), 10, extra)

    assert ended.stdout == "[]\n", ended.stderr


def test_no_thread_to_be_had_is_no_error_of_track(intake: RawIntake) -> None:
    """The event waits; the next one tries again."""
    script = """
threading.stack_size(2**46)
emitter.track("job.began", usr="u")
assert (emitter.stats().pending, emitter.stats().state, emitter.flush(0.1)) == (1, "idle", False)
threading.stack_size(0)
emitter.track("job.done", usr="u")
print("end", flush=True)
"""
    ended = run(script, intake.url, 10)

    assert (ended.returncode, ended.stdout) == (0, "end\n"), ended.stderr
    assert sorted(post.event["event"]["name"] for post in intake.posts) == ["job.began", "job.done"]
    assert "the delivery thread cannot be started" in ended.stderr


def test_after_an_outage_everything_comes(make_emitter: Emitters) -> None:
    """A full buffer that waited for a dead intake is delivered when it lives, each event once."""
    alive = threading.Event()

    async def handle(post: Post, writer: asyncio.StreamWriter) -> None:
        if alive.is_set():
            await accept(post, writer)
        else:
            writer.transport.abort()

    intake = RawIntake(handle)
    with intake.running() as url:
        emitter = make_emitter(url, buffer_size=500, retry=RetryPolicy(base=0.05, cap=0.2))
        tracked = track(emitter, 400)
        assert not emitter.flush(0.5)
        alive.set()
        dead = len(intake.posts)

        assert emitter.flush(60)
        assert Counter(ids([post.event for post in intake.posts[dead:]])) == Counter(tracked)
