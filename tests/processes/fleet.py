"""`python -m tests.processes.fleet`: a dozen real processes before an intake that takes so many events a second.

Each tracks events without a pause; what comes beyond the limit is answered 429, with a second's wait. Prints what came.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections import Counter

from tests.core.intakes import Post, RawIntake, answer
from tests.processes.chaos import ROOT

TRACKER = """
import sys, time
from dd_pa import Emitter, Settings
settings = Settings(application_id="shop", api_key="k" * 32, intake_url=sys.argv[1], spool_dir=None, buffer_size=200)
emitter, ends = Emitter(settings), time.monotonic() + float(sys.argv[2])
while time.monotonic() < ends:
    if emitter.stats().pending < 150:
        emitter.track("order.paid", usr="u-1")
    else:
        time.sleep(0.01)
emitter.close(timeout=0)
"""
"""A process with a backlog that never ends."""


class Bucket:
    """Takes so many events a second, and answers 429 to the rest; counts both by the second."""

    def __init__(self, rate: float) -> None:
        self._rate, self._tokens, self._counted_at = rate, 0.0, time.monotonic()
        self.began = time.monotonic()
        self.taken: Counter[int] = Counter()
        self.refused: Counter[int] = Counter()

    async def take(self, post: Post, writer: asyncio.StreamWriter) -> None:
        now = time.monotonic()
        self._tokens = min(self._tokens + (now - self._counted_at) * self._rate, self._rate)
        self._counted_at = now
        second = int(now - self.began)
        if self._tokens >= 1:
            self._tokens -= 1
            self.taken[second] += 1
            writer.write(answer(202))
        else:
            self.refused[second] += 1
            writer.write(answer(429, retry_after=1))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.processes.fleet")
    parser.add_argument("--processes", type=int, default=12)
    parser.add_argument("--limit", type=float, default=120.0, help="events a second")
    parser.add_argument("--seconds", type=int, default=60)
    arguments = parser.parse_args()
    bucket = Bucket(arguments.limit)
    env = {key: value for key, value in os.environ.items() if not key.startswith("DD_")}
    env |= {"DD_PA_TEST_RUN": "0", "PYTHONPATH": str(ROOT / "core")}
    with RawIntake(bucket.take).running() as url:
        command = [sys.executable, "-c", TRACKER, url, str(arguments.seconds)]
        started = [subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) for _ in range(arguments.processes)]
        for process in started:
            process.wait()
    for second in range(arguments.seconds):
        print(f"{second:4} {bucket.taken[second]:6} taken, {bucket.refused[second]:6} answered 429")
    rest = range(arguments.seconds // 3, arguments.seconds - 1)
    taken, refused = (sum(counts[second] for second in rest) for counts in (bucket.taken, bucket.refused))
    most = max(bucket.taken[second] + bucket.refused[second] for second in rest)
    print(f"after the first third: {taken / len(rest) / arguments.limit:.0%} of the limit used", end=", ")
    print(f"{refused / (taken + refused):.1%} answered 429, {most} came in the worst second")


if __name__ == "__main__":
    main()
