from __future__ import annotations

from collections.abc import Sequence

from django.db import DatabaseError, connections, transaction
from django.db.models import Count, F, Q, QuerySet

from dd_pa.outbox import Counts, Row
from dd_pa_django.models import OutboxEvent

State = OutboxEvent.State


class DjangoTable:
    """The outbox of one database, for one thread; see `OutboxTable` for what each call does.

    Where the database can skip locked rows (PostgreSQL, MariaDB from 10.6, MySQL 8), deliverers claim side by side.
    Elsewhere a claim is an update that only the first of them wins.
    """

    def __init__(self, using: str) -> None:
        self._using = using
        self._skips_locked = connections[using].features.has_select_for_update_skip_locked

    @property
    def _rows(self) -> QuerySet[OutboxEvent]:
        return OutboxEvent._base_manager.using(self._using)

    def claim(self, limit: int, *, owner: str, now: int, until: int) -> list[Row]:
        free = self._rows.filter(state=State.WAITING, claimed_until__lte=now)
        lease = {"claimed_by": owner, "claimed_until": until, "claims": F("claims") + 1}
        if self._skips_locked:
            with transaction.atomic(using=self._using):
                found = list(free.order_by("id").select_for_update(skip_locked=True).values_list("id", "body")[:limit])
                if found:
                    self._rows.filter(id__in=[row_id for row_id, _ in found]).update(**lease)
        else:
            ids = list(free.order_by("id").values_list("id", flat=True)[:limit])
            if not ids or not free.filter(id__in=ids).update(**lease):
                return []
            ours = self._rows.filter(id__in=ids, claimed_by=owner, claimed_until=until)
            found = list(ours.order_by("id").values_list("id", "body"))
        return [Row(row_id, bytes(body)) for row_id, body in found]

    def renew(self, ids: Sequence[int], *, owner: str, until: int) -> None:
        self._rows.filter(id__in=ids, claimed_by=owner).update(claimed_until=until)

    def release(self, ids: Sequence[int], *, owner: str) -> None:
        self._rows.filter(id__in=ids, claimed_by=owner).update(claimed_by="", claimed_until=0)

    def settle(self, ids: Sequence[int]) -> None:
        self._rows.filter(id__in=ids).delete()

    def reject(self, ids: Sequence[int], *, reason: str, detail: str, now: int) -> None:
        self._rows.filter(id__in=ids).update(
            state=State.REJECTED,
            reason=reason,
            detail=detail,
            rejected_at=now,
            claimed_by="",
            claimed_until=0,
        )

    def counts(self, now: int) -> Counts:
        waiting = Q(state=State.WAITING)
        found = self._rows.aggregate(
            waiting=Count("id", filter=waiting & Q(claimed_until__lte=now)),
            claimed=Count("id", filter=waiting & Q(claimed_until__gt=now)),
            rejected=Count("id", filter=Q(state=State.REJECTED)),
        )
        return Counts(**found)

    def reset(self) -> None:
        try:
            connections[self._using].close()
        except DatabaseError:  # it could not even be closed; the next query opens another all the same
            del connections[self._using]
