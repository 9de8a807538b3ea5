"""Events stored in the application's own database, in the transaction of its data, and delivered from there."""

from __future__ import annotations

from dd_pa.outbox.deliverer import OutboxDeliverer
from dd_pa.outbox.foreground import deliver_in_foreground
from dd_pa.outbox.table import Counts, OutboxTable, Row

__all__ = ["Counts", "OutboxDeliverer", "OutboxTable", "Row", "deliver_in_foreground"]
