"""Events stored in the application's own database, in the transaction of its data, and delivered from there."""

from __future__ import annotations

from dd_pa.outbox.deliverer import OutboxDeliverer
from dd_pa.outbox.foreground_delivery import deliver_in_foreground
from dd_pa.outbox.low_water_mark import LowWater
from dd_pa.outbox.missing_table import is_missing_table
from dd_pa.outbox.table import Counts, OutboxTable
from dd_pa.outbox.table_columns import ROWS, STORAGE, chunks, columns
from dd_pa.store.event_queue import Row
from dd_pa.store.record import LAST_MOMENT

__all__ = [
    "LAST_MOMENT",
    "ROWS",
    "STORAGE",
    "Counts",
    "LowWater",
    "OutboxDeliverer",
    "OutboxTable",
    "Row",
    "chunks",
    "columns",
    "deliver_in_foreground",
    "is_missing_table",
]
