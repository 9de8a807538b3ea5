"""Run every benchmark, one after the other: `python -m benchmarks`."""

from __future__ import annotations

from benchmarks import breakdown, caller_cost, losses, model_events, outage_memory, throughput, web_latency
from benchmarks.report import run

for module in (caller_cost, breakdown, throughput, web_latency, outage_memory, losses, model_events):
    run(module.benchmark)
