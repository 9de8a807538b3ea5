from __future__ import annotations

from dd_pa.emulator.app import Emulator
from dd_pa.emulator.intake.faults import Fault
from dd_pa.emulator.live.history import Rejected
from dd_pa.emulator.plan.document import PlanFileError
from dd_pa.emulator.query.kept_segments import SegmentsError
from dd_pa.emulator.search.search import SearchError
from dd_pa.emulator.warehouse.database import WarehouseError

__all__ = ["Emulator", "Fault", "PlanFileError", "Rejected", "SearchError", "SegmentsError", "WarehouseError"]
