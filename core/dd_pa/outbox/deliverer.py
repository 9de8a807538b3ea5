from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from dd_pa import metrics
from dd_pa.delivery.backoff import RetryPolicy
from dd_pa.delivery.dispatcher import Dispatcher
from dd_pa.delivery.event_age import Ages
from dd_pa.delivery.ledger import Ledger
from dd_pa.delivery.outlet_factory import open_outlet
from dd_pa.delivery.plan_report import PlanReport
from dd_pa.delivery.stats import Stats, trouble_of
from dd_pa.delivery.worker import STUCK, Worker
from dd_pa.network.local_emulator import local_emulator
from dd_pa.network.outlet import DirectOutlet, Outlet
from dd_pa.outbox.lessee import BATCH, Lessee
from dd_pa.outbox.outbox_store import OutboxStore
from dd_pa.settings.settings import Settings
from dd_pa.store.event_queue import EventQueue

if TYPE_CHECKING:
    from dd_pa.network.httpx_transport import Transport

TURN = 0.25
"""Longest rest in seconds between two looks at what is due, and so at `stop()`."""

PACE = 0.02
"""Most seconds for which answers are collected before they are written."""

FIRST_POLL = 0.05
"""Seconds before an empty table is looked at again; doubles up to `poll`."""

LONGEST_TROUBLE = 10.0
"""Most seconds before a database that fails is tried again."""

PATIENCE = 30.0
"""Seconds without news of any event after which `run(once=True)` gives up."""

LOOK = 10.0
"""Seconds between two looks for the oldest row, which `stats()` tells of."""

SHARE = 20
"""Times that such a look took, before the next."""


class OutboxDeliverer:
    """Delivers the rows of one table, or the messages of one broker, beside any number of other deliverers.

    The thread that calls `run()` talks to the database, a second one to the intake: neither waits for the other.
    `lease`: seconds after which the rows of a dead deliverer wait again. `poll`: most seconds between two looks at an
    empty table. `sender` is that of the signals. `name` is what it delivers from, as its lines say.
    """

    def __init__(
        self,
        settings: Settings,
        table: EventQueue,
        *,
        sender: object = None,
        transport: Transport | None = None,
        retry: RetryPolicy | None = None,
        lease: float = 60.0,
        poll: float = 1.0,
        name: str = "the outbox",
    ) -> None:
        self.settings = settings
        self.name = name
        self.owner = f"{socket.gethostname()[:40]}-{os.getpid()}-{os.urandom(4).hex()}"
        """Who holds the rows that this deliverer claims."""

        self._table = table
        self._sender, self._transport, self._retry = sender, transport, retry or RetryPolicy()
        self._poll = poll
        self._ledger = Ledger(sender)
        emulator = local_emulator(settings)
        self._plan_report = None if emulator is None else PlanReport(emulator, settings.service, "outbox")
        self._news, self._many = threading.Event(), threading.Event()
        self._store = OutboxStore(
            settings.application_id,
            bound=settings.concurrency,
            on_settled=self._note_answer,
            on_damaged=lambda: self._ledger.count_dropped("damaged", None),
        )
        self._worker = Worker(
            self._store,
            self._ledger,
            open_outlet=self._open_outlet,
            make_dispatcher=self._make_dispatcher,
            on_start=lambda: None if self._plan_report is None else self._plan_report.look(),
            load=lambda: None,
        )
        self._lessee = Lessee(table, self._store, owner=self.owner, lease=lease)
        self._oldest: int | None = None
        self._stopped = False
        self._troubles = 0
        self._has_ended = False
        self._turned_at = time.monotonic()
        self._claim_at = self._try_at = self._look_at = 0.0
        self._empties = 0
        self._became, self._became_at = 0, time.monotonic()
        metrics.observe_where_used(self)

    def _open_outlet(self) -> Outlet | DirectOutlet:
        self._ages = Ages(self._store, max_age=self.settings.max_age)
        return open_outlet(self.settings, self._transport, self._ages.heard)

    def _make_dispatcher(self, outlet: Outlet | DirectOutlet, on_settled: Callable[[], None]) -> Dispatcher:
        return Dispatcher(
            self._store,
            self._ledger,
            outlet,
            policy=self._retry,
            max_age=self.settings.max_age,
            ages=self._ages,
            sender=self._sender,
            on_settled=on_settled if self._plan_report is None else self._plan_report.after(on_settled),
        )

    def run(self, *, once: bool = False, patient: bool = False) -> bool:
        """Deliver until `stop()`; with `once`, until no row waits. Returns False if something that was claimed is left.

        Blocks. A database that fails later is tried again, except with `once`; one that fails at once raises its error,
        unless `patient`. With `once`, gives up when the intake refuses the key, or takes nothing for half a minute.
        """
        if not patient:
            self._table.oldest()
        try:
            while not self._stopped and not (once and (self._is_done() or self._gives_up())):
                self._turn(once=once)
        finally:
            left = self._wind_up()
            self._has_ended = True
        return not left

    def stop(self) -> None:
        """Have `run()` end; what is in flight may be answered within SHUTDOWN_TIMEOUT. For any thread or signal."""
        self._stopped = True  # and nothing else: a signal's handler must take no lock

    def _is_done(self) -> bool:
        # The second look is one at all rows, see `LowWater`.
        return self._empties > 1 and not self._store.pending and not self._store.unwritten

    def _gives_up(self) -> bool:
        """Tell whether nothing becomes of what is left. One event that fails does not keep the others waiting."""
        ledger, now = self._ledger, time.monotonic()
        became = ledger.delivered + ledger.rejected + sum(ledger.dropped.values())
        if became != self._became or not self._store.pending:
            self._became, self._became_at = became, now
        return self._worker.state == "paused" or now - self._became_at > PATIENCE

    def _turn(self, *, once: bool) -> None:
        now = self._turned_at = time.monotonic()
        if now >= self._try_at:
            try:
                self._serve(now)
                self._troubles = 0
            except Exception as error:
                if once:
                    raise
                self._note_trouble(error)
        self._rest()

    def _serve(self, now: float) -> None:
        was_full = self._store.is_full
        self._lessee.write()
        if was_full:
            self._worker.look()  # it was handed nothing, and does not look again by itself at once
        if now >= self._lessee.renew_at:
            self._lessee.renew()
        if now >= self._claim_at and self._store.waiting < BATCH // 2:
            self._claim()
        if now >= self._look_at:
            began = time.monotonic()
            self._oldest = self._table.oldest()
            ended = time.monotonic()
            self._look_at = ended + max(LOOK, SHARE * (ended - began))

    def _note_answer(self) -> None:
        """Have answers written when they have waited for `PACE`, or when there are half as many as may wait."""
        if not self._news.is_set():
            self._news.set()
        if self._store.is_half_full and not self._many.is_set():
            self._many.set()

    def _rest(self) -> None:
        if self._troubles:
            time.sleep(TURN)  # answers are no news while they cannot be written
            return
        due = self._claim_at if self._store.waiting < BATCH // 2 else self._lessee.renew_at
        if self._news.wait(min(TURN, max(0.0, due - time.monotonic()))):
            self._many.wait(PACE)
        self._news.clear()
        self._many.clear()

    def _claim(self) -> None:
        found, more = self._lessee.claim()
        self._empties = 0 if found else self._empties + 1
        wait = 0.0 if more else min(self._poll, FIRST_POLL * 2.0 ** min(self._empties, 16))
        self._claim_at = time.monotonic() + wait
        if found:
            self._worker.look()

    def _note_trouble(self, error: Exception) -> None:
        self._ledger.last_error = type(error).__name__
        why = type(error).__name__
        self._ledger.say("outbox", "%s cannot be read or written: %s; trying again", self.name, why)
        self._table.reset()
        self._try_at = time.monotonic() + min(LONGEST_TROUBLE, TURN * 2.0 ** min(self._troubles, 16))
        self._troubles += 1

    def _wind_up(self) -> int:
        """Let what is in flight be answered, give the rest back; return how many events are left."""
        unsent = self._store.let_go()
        self._worker.stop(time.monotonic() + self.settings.shutdown_timeout)
        rest = [*unsent, *self._store.rows]
        try:
            self._lessee.write()
            self._lessee.release(rest)
        except Exception as error:  # the lease ends by itself
            self._note_trouble(error)
        return len(rest) + self._store.unwritten

    def is_alive(self) -> bool:
        """Tell whether `run()` goes on: it has not ended, and hangs in no call. For any thread."""
        return not self._has_ended and time.monotonic() - self._turned_at < STUCK

    def trouble(self) -> str | None:
        """Return why nothing is delivered now; None if all is well, or nothing waits. For any thread."""
        if self._troubles:
            return f"{self.name} cannot be read or written: {self._ledger.last_error}"
        return "has not begun" if not self._look_at else trouble_of(self.stats())

    def stats(self) -> Stats:
        """Return what became of the events that this deliverer claimed. For any thread; does not block.

        `oldest_pending_age` is that of the whole table, whoever claimed its oldest row, as it was seconds ago.
        """
        oldest = self._oldest
        ledger, pending = self._ledger, self._store.pending
        return Stats(
            queued=ledger.delivered + ledger.rejected + sum(ledger.dropped.values()) + pending,
            delivered=ledger.delivered,
            retried=ledger.retried,
            rejected=ledger.rejected,
            quarantined=self._worker.quarantined,
            repaired=0,
            lost_identities={},
            dropped=dict(ledger.dropped),
            pending=pending,
            spool_bytes=0,
            oldest_pending_age=None if oldest is None else max(0.0, (self._lessee.wall() - oldest) / 1000),
            last_error=ledger.last_error,
            state=self._worker.state,
        )
