"""Run every benchmark, one after the other: `python -m benchmarks`; `--only name` runs one of them.

One that fails does not keep the others from being run; the command fails at the end.
"""

from __future__ import annotations

import sys
import time
import traceback

from benchmarks import (
    breakdown,
    caller_cost,
    counts,
    drain,
    idle_spool,
    losses,
    model_events,
    outage_memory,
    rates,
    relay,
    start,
    throughput,
    web_latency,
    web_pairs,
)
from benchmarks.report import Benchmark, run

BENCHMARKS: dict[str, Benchmark] = {
    "caller_cost": caller_cost.benchmark,
    "counts": counts.benchmark,
    "breakdown": breakdown.benchmark,
    "throughput": throughput.benchmark,
    "rates": rates.benchmark,
    "web_latency": web_latency.benchmark,
    "web_pairs": web_pairs.benchmark,
    "start": start.benchmark,
    "outage_memory": outage_memory.benchmark,
    "idle_spool": idle_spool.benchmark,
    "drain": drain.benchmark,
    "losses": losses.benchmark,
    "model_events": model_events.benchmark,
    "relay": relay.benchmark,
}
SERVERS = {"model_events": ("postgres",), "relay": relay.SERVERS}


def main() -> int:
    asked = sys.argv[sys.argv.index("--only") + 1].split(",") if "--only" in sys.argv else list(BENCHMARKS)
    unknown = set(asked) - set(BENCHMARKS)
    if unknown:
        print(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
        return 2
    started, failed = time.monotonic(), []
    for name in asked:
        try:
            run(BENCHMARKS[name], servers=SERVERS.get(name, ()))
        except Exception:
            traceback.print_exc()
            failed.append(name)
    print(f"{time.monotonic() - started:.0f} s in all" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
