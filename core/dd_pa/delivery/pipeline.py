from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from dd_pa.capture.event import BuiltEvent, EventBuilder
from dd_pa.delivery.backoff import RetryPolicy
from dd_pa.delivery.drop_report import DropReport
from dd_pa.delivery.ledger import DropReason, Ledger
from dd_pa.delivery.plan_report import PlanReport
from dd_pa.delivery.stats import Stats
from dd_pa.delivery.tap import TappedStore, tap_settings
from dd_pa.delivery.worker import STUCK, Worker
from dd_pa.network.local_emulator import local_emulator
from dd_pa.observe import observers, signals
from dd_pa.process import forks, hosts, shutdown, testbed
from dd_pa.settings.settings import Settings
from dd_pa.store.store_factory import open_store

if TYPE_CHECKING:
    from dd_pa.delivery.dispatcher import Dispatcher
    from dd_pa.network.httpx_transport import Transport
    from dd_pa.network.outlet import DirectOutlet, Outlet

logger = logging.getLogger("dd_pa")


class Pipeline:
    """The way of events in one process: store, delivery and ledger of one emitter. A forked child gets a new one."""

    def __init__(
        self,
        sender: object,
        settings: Settings,
        *,
        transport: Transport | None,
        retry: RetryPolicy,
        for_all: bool = False,
        closed: bool = False,
    ) -> None:
        self._sender, self._settings = sender, settings
        self._transport, self._retry = transport, retry
        self.generation = forks.generation
        """The process that this belongs to, as `forks` counts them."""

        self._closing, self._over = closed, False
        displaced = {"overflow"} if settings.overflow == "drop_oldest" else set()
        self._dropped_later = {"expired", "shutdown", "damaged", "not_set_aside", *displaced}
        emulator = local_emulator(settings)
        self._plan_report = None if emulator is None or for_all else PlanReport(emulator, settings.service)
        self.ledger = Ledger(sender, report=None if emulator is None else DropReport(emulator))
        self.on_problem = self.ledger.count_repaired
        self.builder = EventBuilder(settings)
        self._store = open_store(
            settings,
            on_dropped=self._dropped,
            say=self.ledger.say,
            can_deliver=lambda: self._worker.state not in ("backing_off", "paused"),
            on_waiting=self.start,
            for_all=for_all,
        )
        self._tap = self._make_tap(for_all=for_all)
        self._taking = self._store if self._tap is None else TappedStore(self._store, self._tap.copy)
        self._put, self._put_first, self._keep = self._taking.put, self._taking.put_first, self._taking.keep
        self._delivers = for_all or settings.delivery == "thread"
        if self._plan_report is not None and not self._delivers:  # `dd-pa deliver` knows no classes
            self._put, self._put_first = self._putting_once, lambda events: 0
        self._worker = self._make_worker()
        if settings.enabled:
            import_module("concurrent.futures.thread")  # refused at the end of the process, when a script may deliver
            shutdown.handle_sigterm()

    def _make_tap(self, *, for_all: bool) -> Pipeline | None:
        """Return what has the copies for TAP_URL, if there are any."""
        if self._settings.tap_url is None or not self._settings.enabled:
            return None
        return Pipeline(
            signals.UNHEARD,
            tap_settings(self._settings),
            transport=None,
            retry=self._retry,
            for_all=for_all,
            closed=self._closing,
        )

    def _make_worker(self) -> Worker:
        return Worker(
            self._store,
            self.ledger,
            open_outlet=self._open_outlet,
            make_dispatcher=self._make_dispatcher,
            on_start=self._started,
            load=self.load,
            on_begin=lambda: shutdown.expect(self),
            on_not_started=self._not_started,
        )

    def load(self) -> None:
        """Load what the delivery needs."""
        with forks.loading:
            from dd_pa.delivery.warmup import warm_up  # noqa: PLC0415 - httpx and asyncio, dearer than all of ours

            warm_up(self._settings)

    def _started(self) -> None:
        shutdown.add(self)
        if self._plan_report is not None:
            self._plan_report.look()
        try:
            hosts.look_around(self.ledger.say)
        except Exception as error:  # another library that is half imported; the event is stored, and delivery runs
            self.ledger.say("host", "this process may end without its last events: %s", type(error).__name__)

    def _not_started(self) -> None:
        """Have what waits dropped and counted at the end of the process, which may be now, if there is no thread."""
        if not self._closing:
            shutdown.add(self)

    @property
    def shutdown_timeout(self) -> float:
        return self._settings.shutdown_timeout

    def start(self) -> None:
        """Deliver what waits, without waiting for another event of this process."""
        self._worker.wake()
        if self._tap is not None:
            self._tap.start()

    def copy(self, event: BuiltEvent) -> None:
        """Store an event that another pipeline delivers too; a test run publishes none."""
        if testbed.watching and testbed.is_on():
            return
        if self._closing:
            self._keep(event)
            return
        self._put(event)
        if self._delivers and not self._worker.awake:
            self._worker.wake()

    def _dropped(self, reason: DropReason, event: BuiltEvent | None) -> None:
        self.ledger.count_dropped(reason, event)

    def _open_outlet(self) -> Outlet | DirectOutlet:
        from dd_pa.delivery.event_age import Ages  # noqa: PLC0415 - see delivery.warmup
        from dd_pa.delivery.outlet_factory import open_outlet  # noqa: PLC0415 - see delivery.warmup

        self._ages = Ages(self._store, max_age=self._settings.max_age)
        return open_outlet(self._settings, self._transport, self._ages.heard)

    def _make_dispatcher(self, outlet: Outlet | DirectOutlet, on_settled: Callable[[], None]) -> Dispatcher:
        from dd_pa.delivery.dispatcher import Dispatcher  # noqa: PLC0415 - see delivery.warmup

        return Dispatcher(
            self._store,
            self.ledger,
            outlet,
            policy=self._retry,
            max_age=self._settings.max_age,
            ages=self._ages,
            sender=self._sender,
            on_settled=on_settled if self._plan_report is None else self._plan_report.after(on_settled),
        )

    def _putting_once(self, event: BuiltEvent) -> bool:
        """Tell the plan with the first event of this process; later ones cost what they cost elsewhere."""
        self._put, self._put_first = self._taking.put, self._taking.put_first
        if self._plan_report is not None:
            self._plan_report.look()
        return self._put(event)

    def submit(self, event: BuiltEvent) -> bool:
        """Store an event; return False if it was dropped instead."""
        if self._closing:
            return self._submit_late(event)
        if observers.present:
            return self._submit_seen(event)
        put = self._put  # quicker to call than as an attribute
        stored = put(event)
        if self._delivers and not self._worker.awake:
            self._worker.wake()
        if self._over:  # closed by another thread since the first line: nobody else would ever see this event
            self._drop_rest()
        return stored

    def submit_first(self, events: Sequence[BuiltEvent]) -> int:
        """Store as many events as can be stored at once; return how many. Each of the rest is to be submitted."""
        if len(events) < 2 or self._closing or observers.present:
            return 0
        stored = self._put_first(events)
        if stored and self._delivers and not self._worker.awake:
            self._worker.wake()
        if self._over:
            self._drop_rest()
        return stored

    def _submit_seen(self, event: BuiltEvent) -> bool:
        """Store an event that somebody looks at: a test, a debug panel, a receiver of `event_queued`."""
        kept = self._kept_in_test_run(event)
        if kept is not None:
            return kept
        stored = self._put(event)
        if stored:
            signals.send(signals.event_queued, self._sender, event=event)
        if self._delivers:
            self._worker.wake()
        if self._over:
            self._drop_rest()
        return stored

    def _submit_late(self, event: BuiltEvent) -> bool:
        """Leave an event that comes after the end of the delivery to the next process, if there is a spool."""
        if self._settings.spool_dir is not None:
            if observers.present and (kept := self._kept_in_test_run(event)) is not None:
                return kept
            if self._keep(event):
                return True
        self.ledger.count_dropped("closed", event)
        return False

    def _kept_in_test_run(self, event: BuiltEvent) -> bool | None:
        """Return True if a test has captured the event, False if it was held back, None if it may go its way."""
        if not testbed.watching:
            return None
        if testbed.is_captured(self._sender, event):
            signals.send(signals.event_queued, self._sender, event=event)
            return True
        if not testbed.is_on() or self._settings.is_local or self._transport is not None:
            return None
        self.ledger.count_dropped("test_run", event)
        testbed.say_held_back()
        return False

    def flush(self, timeout: float) -> bool:
        return self._worker.flush(timeout)

    def hurry(self) -> None:
        self._worker.hurry()

    def finish(self, deadline: float) -> None:
        """Deliver until `deadline` (`time.monotonic()`), and log what will be lost if the process ends then."""
        if not self._worker.flush(max(0.0, deadline - time.monotonic())) and not self._store.durable:
            self._say_lost(self._store.pending, self.shutdown_timeout)

    def close(self, timeout: float, deadline: float | None = None) -> None:
        """Deliver for at most `timeout` seconds (until `deadline`, if given), then drop, count and log the rest."""
        if forks.generation != self.generation:  # a forked child has no business with its parent's events
            return
        self._closing = True
        end = time.monotonic() + timeout if deadline is None else deadline
        if self._tap is not None:
            self._tap.hurry()
        self._worker.stop(end)
        shutdown.remove(self)  # not before: SIGTERM may come meanwhile
        self._over = True
        lost = self._drop_rest()
        if not self._worker.runs:
            self._store.close()
        self._say_lost(lost, timeout)
        if self._tap is not None:
            self._tap.close(timeout, end)

    def _say_lost(self, lost: int, timeout: float) -> None:
        if lost:
            logger.warning(
                "%d events delivered, %d lost: they could not be delivered in %g seconds (SHUTDOWN_TIMEOUT)",
                self.ledger.delivered,
                lost,
                timeout,
            )

    def _drop_rest(self) -> int:
        rest = self._store.drain()
        for event in rest:
            self.ledger.count_dropped("shutdown", event)
        return len(rest)

    @property
    def hangs(self) -> bool:
        """The thread of a pipeline that delivers for all, which looks every few seconds, has not for long."""
        return time.monotonic() - self._worker.turned_at > STUCK

    def stats(self) -> Stats:
        ledger, pending, oldest = self.ledger, self._store.pending, self._store.oldest()
        dropped = dict(ledger.dropped)
        dropped_later = sum(dropped.get(reason, 0) for reason in self._dropped_later)
        return Stats(
            queued=ledger.delivered + ledger.rejected + pending + dropped_later + self._store.balance,
            delivered=ledger.delivered,
            retried=ledger.retried,
            rejected=ledger.rejected,
            quarantined=self._worker.quarantined,
            repaired=ledger.repaired,
            off_plan=ledger.off_plan,
            dropped=dropped,
            lost_identities=dict(ledger.lost_identities),
            pending=pending,
            spool_bytes=self._store.bytes,
            oldest_pending_age=None if oldest is None else max(0.0, time.time() - oldest / 1000),
            last_error=ledger.last_error,
            state=self._worker.state,
            tap=None if self._tap is None else self._tap.stats(),
        )
