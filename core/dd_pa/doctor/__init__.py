"""Examines an installation: settings, intake, key, clock, spool and the server that runs it. For people, on demand.

`examine()` is what `dd-pa doctor`, `manage.py dd_pa_doctor` and `flask dd-pa doctor` print with `report()`.
"""

from __future__ import annotations

from dd_pa.doctor.arrival_check import TEST_EVENT, NotSentError, send_now
from dd_pa.doctor.examination import examine, examine_outbox, outbox_lines, outbox_numbers, spool_place, waiting
from dd_pa.doctor.relay_examination import examine_relay
from dd_pa.doctor.report import Finding, as_json, as_lines, as_numbers, failed, report

__all__ = [
    "TEST_EVENT",
    "Finding",
    "NotSentError",
    "as_json",
    "as_lines",
    "as_numbers",
    "examine",
    "examine_outbox",
    "examine_relay",
    "failed",
    "outbox_lines",
    "outbox_numbers",
    "report",
    "send_now",
    "spool_place",
    "waiting",
]
