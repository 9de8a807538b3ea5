from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from django.db import DatabaseError, Error, connections, transaction
from django.db.models import BinaryField, Count, F, Func, Q, QuerySet
from django.db.models.expressions import Combinable

from dd_pa import BuiltEvent
from dd_pa.outbox import LAST_MOMENT, Counts, LowWater, Row
from dd_pa_django.models import OutboxEvent
from dd_pa_django.outbox.writer import TABLE, aliases, insert

State = OutboxEvent.State

Found: TypeAlias = "list[tuple[int, bytes | memoryview[int]]]"

_PIN = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"


class DjangoTable:
    """The outbox of one database, for one thread; see `OutboxTable` for what each call does.

    Where the database can skip locked rows (PostgreSQL, MariaDB from 10.6, MySQL 8), deliverers claim side by side.
    Elsewhere a claim is an update that only the first of them wins.
    """

    def __init__(self, using: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._using = using
        self._water = LowWater(clock)

    @property
    def _rows(self) -> QuerySet[OutboxEvent]:
        return OutboxEvent._base_manager.using(self._using)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Open a transaction that is READ COMMITTED, unless one is open already, as in a project's test.

        A deliverer that is SERIALIZABLE makes the project's own transactions fail; one that reads repeatably makes
        MySQL lock the gaps into which they insert.
        """
        connection = connections[self._using]
        outermost = not connection.in_atomic_block
        if outermost and connection.vendor == "mysql":  # for the next transaction, and no other
            self._execute(_PIN)
        with transaction.atomic(using=self._using):
            if outermost and connection.vendor == "postgresql":
                self._execute(_PIN)
            yield

    def _execute(self, statement: str) -> None:
        with connections[self._using].cursor() as cursor:
            cursor.execute(statement)

    def add(self, events: Sequence[BuiltEvent]) -> None:
        with transaction.atomic(using=self._using, savepoint=False):
            insert(events, connections[self._using])

    def claim(self, limit: int, *, owner: str, now: int, until: int) -> list[Row]:
        began, above = self._water.clock(), self._water.above()
        free = self._rows.filter(state=State.WAITING, claimed_until__lte=now, id__gt=above)
        lease = {"claimed_by": owner, "claimed_until": until, "claims": F("claims") + 1}
        skips = connections[self._using].features.has_select_for_update_skip_locked
        found = self._claim_side_by_side(free, limit, lease) if skips else self._claim_first(free, limit, lease)
        rows = [Row(row_id, bytes(body)) for row_id, body in found]
        self._water.note(rows, above=above, more=len(rows) == limit, began=began)
        return rows

    def _claim_side_by_side(self, free: QuerySet[OutboxEvent], limit: int, lease: dict[str, Any]) -> Found:
        with self._transaction():
            found = list(free.order_by("id").select_for_update(skip_locked=True).values_list("id", "body")[:limit])
            if found:
                self._rows.filter(id__in=[row_id for row_id, _ in found]).update(**lease)
        return found

    def _claim_first(self, free: QuerySet[OutboxEvent], limit: int, lease: dict[str, Any]) -> Found:
        ids = list(free.order_by("id").values_list("id", flat=True)[:limit])
        if not ids or not free.filter(id__in=ids).update(**lease):
            return []
        ours = self._rows.filter(id__in=ids, claimed_by=lease["claimed_by"], claimed_until=lease["claimed_until"])
        return list(ours.order_by("id").values_list("id", self._body))

    @property
    def _body(self) -> Combinable:
        """What to select for a body: SQLite may have a text there, of which not even each can be read as one."""
        if connections[self._using].vendor != "sqlite":
            return F("body")
        return Func(F("body"), template="CAST(%(expressions)s AS BLOB)", output_field=BinaryField())

    def renew(self, ids: Sequence[int], *, owner: str, until: int) -> list[int]:
        mine = self._rows.filter(id__in=ids, claimed_by=owner, state=State.WAITING)
        with self._transaction():
            mine.update(claimed_until=until)
            return list(mine.order_by("id").values_list("id", flat=True))

    def release(self, ids: Sequence[int], *, owner: str) -> None:
        with self._transaction():
            self._rows.filter(id__in=ids, claimed_by=owner).update(claimed_by="", claimed_until=0)
        self._water.lower(min(ids, default=1) - 1)

    def settle(self, ids: Sequence[int]) -> None:
        with self._transaction():
            self._delete(self._rows.filter(id__in=ids))

    def _delete(self, rows: QuerySet[OutboxEvent]) -> int:
        """Delete without signals, for which receivers of all models would have each row read first."""
        return int(rows._raw_delete(self._using) or 0)

    def reject(self, ids: Sequence[int], *, reason: str, detail: str, now: int) -> None:
        kept = {"state": State.REJECTED, "reason": reason, "detail": detail, "rejected_at": now}
        with self._transaction():
            self._rows.filter(id__in=ids).update(claimed_by="", claimed_until=0, **kept)

    def prune(self, before: int, *, batch: int = 1000) -> int:
        old, deleted, last = self._rows.filter(state=State.REJECTED, rejected_at__lt=before), 0, 0
        while ids := list(old.filter(id__gt=last).order_by("id").values_list("id", flat=True)[:batch]):
            with self._transaction():
                deleted += self._delete(old.filter(id__in=ids))
            last = ids[-1]
        return deleted

    def counts(self, now: int) -> Counts:
        waiting = Q(state=State.WAITING)
        found = self._rows.aggregate(
            waiting=Count("id", filter=waiting & Q(claimed_until__lte=now)),
            claimed=Count("id", filter=waiting & Q(claimed_until__gt=now)),
            rejected=Count("id", filter=Q(state=State.REJECTED)),
        )
        return Counts(**found)

    def oldest(self) -> int | None:
        sane = self._rows.filter(state=State.WAITING, occurred_at__range=(0, LAST_MOMENT))
        return sane.order_by("id").values_list("occurred_at", flat=True).first()

    def reset(self) -> None:
        try:
            connections[self._using].close()
        except DatabaseError:  # it could not even be closed; the next query opens another all the same
            del connections[self._using]


def tables() -> dict[str, DjangoTable]:
    """Return the outboxes by their databases: that of the routers first, and all others that are there."""
    first, *others = aliases()
    return {alias: DjangoTable(alias) for alias in (first, *filter(_is_there, others))}


def _is_there(alias: str) -> bool:
    try:
        return TABLE in connections[alias].introspection.table_names()
    except Error:  # whoever uses it learns why
        return True
