"""The delivery thread: an asyncio loop of its own, asleep when there is nothing to do."""

from __future__ import annotations

import _thread
import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, cast

from dd_pa.delivery.ledger import Ledger
from dd_pa.network.log_filter import THREAD
from dd_pa.process.atomic_counter import steps
from dd_pa.store.protocol import Source

if TYPE_CHECKING:
    import asyncio

    from dd_pa.delivery.dispatcher import Dispatcher
    from dd_pa.network.event_loop import Loop
    from dd_pa.network.outlet import DirectOutlet, Outlet

logger = logging.getLogger("dd_pa")

State = Literal["idle", "running", "backing_off", "paused", "closed"]

AWAKE = 10.0
"""Seconds without events after which the thread stops looking, and sleeps until it is woken, or for as long as the
store has patience: with half a second, the events of a dead neighbour were found later than they need be."""

GRACE = 0.2
"""Seconds of a deadline that are kept for ending the thread in order."""

START = 5.0
"""Seconds that `flush()` and `close()` wait for a thread that is about to start."""

RESTART = 1.0
"""Seconds before the loop is started again after an error that should not happen."""


STUCK = 120.0
"""Seconds without a turn after which a loop that turns by itself counts as hanging: far more than any of its
time-outs."""


class Worker:
    """Delivers the events of one store, in one process. The thread starts with the first event."""

    def __init__(
        self,
        store: Source,
        ledger: Ledger,
        *,
        open_outlet: Callable[[], Outlet | DirectOutlet],
        make_dispatcher: Callable[[Outlet | DirectOutlet, Callable[[], None]], Dispatcher],
        on_start: Callable[[], object],
        load: Callable[[], object],
        on_begin: Callable[[], object] = lambda: None,
        on_not_started: Callable[[], object] = lambda: None,
    ) -> None:
        self._store, self._ledger = store, ledger
        self._open_outlet, self._make_dispatcher = open_outlet, make_dispatcher
        self._on_start, self._load = on_start, load
        self._on_begin, self._on_not_started = on_begin, on_not_started
        self._turns = steps(0)
        self._starting = False
        self._begun = threading.Event()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._poked: asyncio.Event | None = None
        self._dispatcher: Dispatcher | None = None
        self.awake = False
        """The thread looks for events by itself; else whoever stores one is to call `wake()`."""

        self.turned_at = time.monotonic()
        """When the thread last looked for something to do."""

        self._hurry = False
        self._flushes: dict[threading.Event, Any] = {}

    @property
    def state(self) -> State:
        """What the delivery is doing."""
        dispatcher = self._dispatcher
        if self._stop.is_set():
            return "closed"
        if dispatcher is None:
            return "idle"
        if dispatcher.gate.paused_by:
            return "paused"
        return "running" if dispatcher.gate.healthy else "backing_off"

    @property
    def quarantined(self) -> int:
        """Events that failed while others passed, and wait for another attempt."""
        return 0 if self._dispatcher is None else self._dispatcher.quarantine.convicted

    @property
    def runs(self) -> bool:
        """The thread may use the store."""
        return self._thread is not None and not self._ended.is_set()

    def wake(self) -> None:
        """Say that an event was stored: starts or wakes the thread if it is not awake."""
        if self._thread is None:
            self._start()
        elif not self.awake:
            self.awake = True
            self._poke()

    def _start(self) -> None:
        """Have a thread start the delivery thread, once.

        Not the caller's: it may be in a signal's handler, which has interrupted `threading` while it holds its lock.
        """
        if self._turns():
            return
        if sys.is_finalizing():  # the thread would never run
            self._not_started(RuntimeError("the interpreter ends"))
            return
        self._starting = True
        try:
            self._on_begin()
            self._load()
            _thread.start_new_thread(self._begin, ())
        except Exception as error:  # also of an import, if a signal's handler has interrupted another of the same
            self._not_started(error)
        except BaseException:
            self._may_start_again()
            raise
        else:
            self._on_start()

    def _begin(self) -> None:
        thread = threading.Thread(target=self._main, name=THREAD, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self._not_started(error)
        else:
            self._thread = thread
        self._begun.set()

    def _may_start_again(self) -> None:
        self._starting = False
        self._turns = steps(0)

    def _not_started(self, error: Exception) -> None:
        """Say that there are no threads left, or that the interpreter ends; the next event tries again."""
        self._may_start_again()
        self._ledger.say("thread", "the delivery thread cannot be started: %s", error)
        self._on_not_started()

    def _other_thread(self, timeout: float = START) -> threading.Thread | None:
        """Return the delivery thread, which may be about to begin; None if there is none, or if this is it."""
        if self._thread is None and self._starting:
            self._begun.wait(min(timeout, START))
        return None if self._thread is threading.current_thread() else self._thread

    def look(self) -> None:
        """Say that events were stored which should not wait for the next look."""
        self.wake()
        self._poke()

    def _poke(self) -> None:
        loop, poked = self._loop, self._poked
        if loop is None or poked is None:
            return
        try:
            loop.call_soon_threadsafe(poked.set)
        except RuntimeError:
            logger.debug("the delivery loop is closed already")

    def flush(self, timeout: float) -> bool:
        """Wait until every event stored so far is settled, at most `timeout` seconds; return whether it is.

        On the delivery thread itself (in a receiver of a signal) it does not wait.
        """
        mark, done = self._store.mark(), threading.Event()
        if self._store.pending:
            self.wake()
        if self._other_thread(timeout) is not None:
            self._flushes[done] = mark
            self._poke()
            if not self._ended.is_set():
                done.wait(timeout)
            if self._flushes.pop(done, None) is not None and not self._ended.is_set():
                return False
        return self._store.passed(mark)

    def hurry(self) -> None:
        """Try everything once more now, and soon again: the process is about to end. Does not block."""
        self._hurry = True
        self._poke()

    def stop(self, deadline: float) -> None:
        """Deliver what waits until the deadline (`time.monotonic()`), then end the thread.

        Nothing waits for an intake that does not take events, if they are safe on disk.
        """
        if not (self._store.durable and self.state in ("backing_off", "paused")):
            self._hurry = True
            self.flush(max(0.0, deadline - GRACE - time.monotonic()))
        self._stop.set()
        self._poke()
        thread = self._other_thread()
        if thread is not None:
            thread.join(max(GRACE, deadline - time.monotonic()))

    def _main(self) -> None:
        try:
            while not self._stop.is_set():
                self._live()
        finally:
            self._ended.set()
            for done in list(self._flushes):
                done.set()

    def _live(self) -> None:
        """Run one loop until the end, or until an error that should not happen."""
        try:
            self._run_loop()
        except BaseException as error:  # a bug of ours, a receiver that calls exit(), or no descriptor left for a loop
            failure = type(error).__name__
        else:
            return
        self._ledger.last_error = failure
        self._ledger.say("worker", "delivery failed and starts again: %s", failure)
        self._store.reclaim()
        self._stop.wait(RESTART)

    def _run_loop(self) -> None:
        from dd_pa.delivery.look_up_threads import LookUpThreads  # noqa: PLC0415 - see delivery.warmup
        from dd_pa.network.event_loop import Loop, close_loop  # noqa: PLC0415 - see delivery.warmup

        loop = self._loop = Loop()
        loop.set_default_executor(LookUpThreads())
        try:
            loop.run_until_complete(self._run())
        finally:
            close_loop(loop)

    async def _run(self) -> None:
        import asyncio  # noqa: PLC0415 - see delivery.warmup

        self._poked = asyncio.Event()
        self.awake = True
        outlet = self._open_outlet()
        self._dispatcher = self._make_dispatcher(outlet, self._answer_flushes)
        try:
            await self._deliver(self._dispatcher, self._poked)
        finally:
            with contextlib.suppress(Exception):
                await self._dispatcher.close()

    async def _deliver(self, dispatcher: Dispatcher, poked: asyncio.Event) -> None:
        import asyncio  # noqa: PLC0415 - see delivery.warmup

        now = asyncio.get_running_loop().time
        busy_at = now()
        while not self._stop.is_set():
            poked.clear()
            self.turned_at = time.monotonic()
            if self._hurry:
                self._hurry = False
                dispatcher.hurry()
            self._store.tend()
            dispatcher.fill()
            self._answer_flushes()
            if dispatcher.busy or self._store.waiting:
                busy_at = now()
            await self._rest(dispatcher, poked, lively=now() - busy_at < AWAKE)

    async def _rest(self, dispatcher: Dispatcher, poked: asyncio.Event, *, lively: bool) -> None:
        import asyncio  # noqa: PLC0415 - see delivery.warmup

        from dd_pa.delivery import alarm  # noqa: PLC0415 - see delivery.warmup

        self.awake = lively
        if not lively and self._store.waiting:  # an event came in before the line above
            self.awake = True
            return
        patience = self._store.patience
        may_glance = lively and not dispatcher.busy and (patience is None or patience > alarm.TICK)
        seconds = alarm.TICK if lively else patience
        set_alarm = None if seconds is None else alarm.Alarm(poked, self._store, seconds, may_glance=may_glance)
        loop = cast("Loop", asyncio.get_running_loop())
        loop.gathers = lively and dispatcher.gathers and not self._flushes
        try:
            await poked.wait()
        finally:
            self.awake, loop.gathers = True, False
            if set_alarm is not None:
                set_alarm.cancel()

    def _answer_flushes(self) -> None:
        for done, mark in list(self._flushes.items()):
            if self._store.passed(mark):
                self._flushes.pop(done, None)
                done.set()
