"""`track()` out of a signal's handler or a `__del__`, which interrupt this very thread at any line of it."""

from __future__ import annotations

import gc
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

import dd_pa
from dd_pa import Emitter
from tests.core.wire import settings
from tests.waiting import wait_until

Make = Callable[[], Emitter]


INTERRUPTED = (str(Path(dd_pa.__file__).parent), threading.__file__)
"""Whose lines are interrupted: ours, and those of what has locks. What else we call, such as `pathlib`, keeps nothing
between two calls; a signal in the midst of it finds us as one at our own line does."""


class Interruption:
    """Calls a handler at one line of what is traced, as the interpreter does when a signal has come.

    Lines are numbered as they are first come to: a line that is run again, in a loop, does the same to another value.
    """

    def __init__(self, at: int, handler: Callable[[], object]) -> None:
        self._at = at
        self._seen: set[tuple[CodeType, int]] = set()
        self._handler = handler
        self.happened = False

    def __call__(self, frame: FrameType, what: str, argument: object) -> Interruption | None:
        if self.happened or not frame.f_code.co_filename.startswith(INTERRUPTED):
            return None
        if what == "line":
            self._seen.add((frame.f_code, frame.f_lineno))
            if len(self._seen) > self._at:
                self.happened = True
                self._handler()
        return self

    def run(self, call: Callable[[], object]) -> object:
        """Return what the call returns, if it ends."""
        sys.settrace(self)
        try:
            return call()
        finally:
            sys.settrace(None)


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes emitters that keep events in memory, or in a spool."""
    logging.getLogger("dd_pa").setLevel(logging.CRITICAL)
    emitters: list[Emitter] = []

    def make() -> Emitter:
        where: dict[str, Any] = {"intake_url": "http://127.0.0.1:9"}
        if request.param != "memory":
            where |= {"spool_dir": str(tmp_path / f"spool{len(emitters)}"), "delivery": request.param}
        emitters.append(Emitter(settings(**where)))
        return emitters[-1]

    yield make
    logging.getLogger("dd_pa").setLevel(logging.NOTSET)
    for emitter in emitters:
        emitter.close(0)


def lines() -> Iterator[int]:
    """Number the lines; whoever iterates ends when there was none with the number."""
    yield from range(5_000)


def interrupted(emitter: Emitter, line: int) -> tuple[bool, list[object]]:
    """Track an event, and another one at a line of the first; return whether there is that line, and both ids."""
    ids: list[object] = []
    interruption = Interruption(line, lambda: ids.append(emitter.track("x.inner", usr="u")))
    ids.append(interruption.run(lambda: emitter.track("x.outer", {"a": 1}, usr="u")))
    return interruption.happened, ids


@pytest.mark.parametrize("make", ["memory", "process"], indirect=True)
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_an_interruption_at_any_line_neither_hangs_nor_loses(make: Make, first: bool) -> None:
    """Of the first event, which opens and starts everything, and of a later one; both events are kept."""
    emitter = make()
    if not first:
        emitter.track("x.before", usr="u")
    for number in lines():
        if first and number:
            emitter.close(0)
            emitter = make()
        before = emitter.stats().queued
        happened, ids = interrupted(emitter, number)
        if not happened:
            break

        assert all(ids)
        assert emitter.stats().queued == before + 2

    assert number > 40


@pytest.mark.parametrize("make", ["memory"], indirect=True)
@pytest.mark.parametrize("attributes", [None, {"total": float("nan")}], ids=["unlinked", "repaired"])
def test_counts_are_exact_when_interrupted(make: Make, attributes: dict[str, Any] | None) -> None:
    """Where an event is dropped or repaired, counted and said."""
    emitter = make()
    for number in lines():

        def call(emitter: Emitter = emitter) -> None:
            emitter.track("x.done", attributes, usr=None if attributes is None else "u")

        before = emitter.stats()
        interruption = Interruption(number, call)
        interruption.run(call)
        if not interruption.happened:
            break

        after = emitter.stats()
        counted = after.dropped.get("unlinked", 0) - before.dropped.get("unlinked", 0), after.repaired - before.repaired
        assert counted == ((2, 0) if attributes is None else (0, 2))

    assert number > 40


@pytest.mark.parametrize("make", ["process"], indirect=True)
def test_a_collected_object_may_track(make: Make) -> None:
    """The collector runs inside of any allocation, `track()`'s own ones too."""
    emitter, collected = make(), list[object]()

    class Session:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            collected.append(emitter.track("session.dropped", usr="u"))

    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(50):
            Session()
            emitter.track("x.done", {"list": [{} for _ in range(20)]}, usr="u")
    finally:
        gc.set_threshold(*before)
    # It does nothing while another thread collects, which may be the janitor's, interrupted just there.
    wait_until(lambda: (gc.collect(), len(collected) >= 50)[1])

    assert len(set(collected)) == 50
    assert None not in collected
    assert emitter.stats().queued == 100


@pytest.mark.parametrize("make", ["memory"], indirect=True)
def test_the_first_event_takes_no_lock_of_threading(make: Make) -> None:
    """A handler may have interrupted `Thread.start()` of the application, which holds a lock that is not reentrant."""
    emitter = make()
    lock = threading._active_limbo_lock  # type: ignore[attr-defined]
    with lock:
        assert emitter.track("x.done", usr="u") is not None

    assert emitter.stats().pending == 1
