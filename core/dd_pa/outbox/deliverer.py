from __future__ import annotations

import itertools
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from dd_pa import metrics
from dd_pa.delivery.dispatcher import Dispatcher
from dd_pa.delivery.gate import RetryPolicy
from dd_pa.delivery.ledger import Ledger
from dd_pa.delivery.opening import open_outlet
from dd_pa.delivery.outlet import Outlet
from dd_pa.delivery.stats import Stats
from dd_pa.delivery.transport import Transport
from dd_pa.delivery.worker import Worker
from dd_pa.outbox.store import OutboxStore
from dd_pa.outbox.table import OutboxTable
from dd_pa.settings import Settings

T = TypeVar("T")

BATCH = 250
"""Most rows of one claim, and of one statement."""

TURN = 0.25
"""Longest rest in seconds between two looks at what is due, and so at `stop()`."""

PACE = 0.02
"""Seconds for which answers are collected before they are written."""

FIRST_POLL = 0.05
"""Seconds before an empty table is looked at again; doubles up to `poll`."""

LONGEST_TROUBLE = 10.0
"""Most seconds before a database that fails is tried again."""

PATIENCE = 30.0
"""Seconds for which `run(once=True)` tries an intake that fails."""


class OutboxDeliverer:
    """Delivers the rows of one table, beside any number of other deliverers.

    The thread that calls `run()` talks to the database, a second one to the intake: neither waits for the other.
    `lease`: seconds after which the rows of a dead deliverer wait again. `poll`: most seconds between two looks at an
    empty table. `sender` is that of the signals.
    """

    def __init__(
        self,
        settings: Settings,
        table: OutboxTable,
        *,
        sender: object = None,
        transport: Transport | None = None,
        retry: RetryPolicy | None = None,
        lease: float = 60.0,
        poll: float = 1.0,
    ) -> None:
        self.settings = settings
        self.owner = f"{socket.gethostname()[:40]}-{os.getpid()}-{os.urandom(4).hex()}"
        """Who holds the rows that this deliverer claims."""

        self._table = table
        self._sender, self._transport, self._retry = sender, transport, retry or RetryPolicy()
        self._lease, self._poll = lease, poll
        self._ledger = Ledger(sender)
        self._news = threading.Event()
        self._store = OutboxStore(settings.application_id, bound=settings.concurrency, on_settled=self._news.set)
        self._worker = Worker(
            self._store,
            self._ledger,
            open_outlet=lambda: open_outlet(settings, transport),
            make_dispatcher=self._make_dispatcher,
            on_start=lambda: None,
        )
        self._stopped = False
        self._troubles = 0
        self._claim_at = self._try_at = 0.0
        self._renew_at = lease / 3 + time.monotonic()
        self._empties = 0
        self._healthy_at = time.monotonic()
        metrics.observe_where_used(self)

    def _make_dispatcher(self, outlet: Outlet, on_settled: Callable[[], None]) -> Dispatcher:
        return Dispatcher(
            self._store,
            self._ledger,
            outlet,
            policy=self._retry,
            max_age=self.settings.max_age,
            sender=self._sender,
            on_settled=on_settled,
        )

    def run(self, *, once: bool = False) -> bool:
        """Deliver until `stop()`; with `once`, until no row waits. Returns False if something that was claimed is left.

        Blocks. A database that fails later is tried again, except with `once`; one that fails at once raises its error.
        With `once`, gives up when the intake refuses the key, or takes nothing for half a minute.
        """
        self._table.counts(_now())
        try:
            while not self._stopped and not (once and (self._is_done() or self._gives_up())):
                self._turn(once=once)
        finally:
            left = self._wind_up()
        return not left

    def stop(self) -> None:
        """Have `run()` end; what is in flight may be answered within SHUTDOWN_TIMEOUT. For any thread or signal."""
        self._stopped = True  # and nothing else: a signal's handler must take no lock

    def _is_done(self) -> bool:
        return self._empties > 0 and not self._store.pending and not self._store.unwritten

    def _gives_up(self) -> bool:
        state, now = self._worker.state, time.monotonic()
        if state in ("idle", "running"):
            self._healthy_at = now
        return state == "paused" or now - self._healthy_at > PATIENCE

    def _turn(self, *, once: bool) -> None:
        now = time.monotonic()
        if now >= self._try_at:
            try:
                self._write()
                if now >= self._renew_at:
                    self._renew()
                if now >= self._claim_at and self._store.waiting < BATCH // 2:
                    self._claim()
                self._troubles = 0
            except Exception as error:
                if once:
                    raise
                self._note_trouble(error)
        self._rest()

    def _rest(self) -> None:
        if self._troubles:
            time.sleep(TURN)  # answers are no news while they cannot be written
            return
        due = self._claim_at if self._store.waiting < BATCH // 2 else self._renew_at
        if self._news.wait(min(TURN, max(0.0, due - time.monotonic()))):
            time.sleep(PACE)
        self._news.clear()

    def _write(self) -> None:
        """Write down what was settled and rejected; what cannot be written stays noted."""
        for batch in _batches(self._store.settled):
            self._table.settle(batch)
            _forget(self._store.settled, len(batch))
        for (reason, detail), group in itertools.groupby(list(self._store.rejected), key=lambda item: item[1:]):
            for batch in _batches([row for row, _, _ in group]):
                self._table.reject(batch, reason=reason, detail=detail, now=_now())
                _forget(self._store.rejected, len(batch))

    def _claim(self) -> None:
        limit = BATCH - self._store.waiting
        leased_until = time.monotonic() + self._lease
        rows = self._table.claim(limit, owner=self.owner, now=_now(), until=self._lease_end())
        self._store.give(rows, leased_until)
        self._empties = 0 if rows else self._empties + 1
        wait = 0.0 if len(rows) == limit else min(self._poll, FIRST_POLL * 2.0 ** min(self._empties, 16))
        self._claim_at = time.monotonic() + wait
        if rows:
            self._worker.wake()

    def _renew(self) -> None:
        leased_until = time.monotonic() + self._lease
        for batch in _batches(self._store.rows):
            self._table.renew(batch, owner=self.owner, until=self._lease_end())
        self._store.renew(leased_until)
        self._renew_at = time.monotonic() + self._lease / 3

    def _lease_end(self) -> int:
        return _now() + int(self._lease * 1000)

    def _note_trouble(self, error: Exception) -> None:
        self._ledger.last_error = type(error).__name__
        self._ledger.say("outbox", "the outbox cannot be read or written: %s; trying again", type(error).__name__)
        self._table.reset()
        self._try_at = time.monotonic() + min(LONGEST_TROUBLE, TURN * 2.0 ** min(self._troubles, 16))
        self._troubles += 1

    def _wind_up(self) -> int:
        """Let what is in flight be answered, give the rest back; return how many events are left."""
        unsent = self._store.let_go()
        self._worker.stop(time.monotonic() + self.settings.shutdown_timeout)
        rest = [*unsent, *self._store.rows]
        try:
            self._write()
            for batch in _batches(rest):
                self._table.release(batch, owner=self.owner)
        except Exception as error:  # the lease ends by itself
            self._note_trouble(error)
        return len(rest) + self._store.unwritten

    def stats(self) -> Stats:
        """Return what became of the events that this deliverer claimed. For any thread; does not block."""
        ledger, pending = self._ledger, self._store.pending
        return Stats(
            queued=ledger.delivered + ledger.rejected + sum(ledger.dropped.values()) + pending,
            delivered=ledger.delivered,
            retried=ledger.retried,
            rejected=ledger.rejected,
            repaired=0,
            lost_identities={},
            dropped=dict(ledger.dropped),
            pending=pending,
            spool_bytes=0,
            oldest_pending_age=None,
            last_error=ledger.last_error,
            state=self._worker.state,
        )


def _now() -> int:
    return time.time_ns() // 1_000_000


def _batches(rows: Sequence[int]) -> Iterator[list[int]]:
    rows = list(rows)
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def _forget(items: deque[T], count: int) -> None:
    for _ in range(count):
        items.popleft()
