"""Run every benchmark, one after the other: `python -m benchmarks`."""

from __future__ import annotations

from benchmarks import (
    breakdown,
    caller_cost,
    drain,
    idle_spool,
    losses,
    model_events,
    outage_memory,
    throughput,
    web_latency,
)
from benchmarks.report import run

MODULES = (caller_cost, breakdown, throughput, web_latency, outage_memory, idle_spool, drain, losses, model_events)

for module in MODULES:
    run(module.benchmark)
