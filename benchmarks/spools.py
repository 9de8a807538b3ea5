"""Segments that processes left in a spool, for the benchmarks of it."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

from dd_pa import Settings
from dd_pa.capture.event import EventBuilder
from dd_pa.capture.identity_block import Identity
from dd_pa.store.destination import Destination
from dd_pa.store.record import FORMAT, Header, encode, encode_header

INTAKE = "http://127.0.0.1:9"


def settings(spool: str) -> Settings:
    """Return the settings of all processes of a benchmark."""
    return Settings(application_id="shop", api_key="0" * 32, intake_url=INTAKE, spool_dir=spool, shutdown_timeout=0.2)


def leave_orphans(spool: str, count: int) -> None:
    """Leave so many segments of one event each, as cron jobs do while the intake is down."""
    shared = settings(spool)
    destination = Destination(spool, shared.application_id, str(shared.intake_url))
    destination.directory()
    folder, builder = Path(destination.path), EventBuilder(shared)
    header = encode_header(Header(format=FORMAT, application_id="shop", intake=INTAKE, created=0))
    began = time.time_ns() // 1_000_000 - count
    for number in range(count):
        event, _ = builder.build("order.placed", {"number": number}, Identity(usr="u"))
        name = f"{began + number:013d}-1-{uuid.uuid4().hex[:8]}.seg"
        (folder / name).write_bytes(header + encode(event.body))
