"""What `track()` costs in instructions, whatever else the machine does: `python -m benchmarks.instructions`.

With `--against REVISION` (or `recorded`, the one that `benchmarks/base` names) another revision is counted beside this
one, and with `--limit PERCENT` a `track()` that became dearer by more than that fails. Needs valgrind.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECORDED = Path(__file__).with_name("base")
CASES = ("memory", "spool", "decimal", "nested", "identity", "many")
FEW, MANY, ROUNDS = 50, 150, 6


def count(source: Path, case: str) -> float:
    """Return the instructions of one call of `track()`, of the package in `source`.

    The difference between many calls and few leaves out all that is not a call. Only the calling thread is counted;
    what it waits for the delivering thread differs from round to round, so the least of several is the answer.
    """
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory, "out")
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes"]
        counted = [str(ROOT / "benchmarks" / "counted.py"), case, directory, *map(str, (FEW, MANY, ROUNDS))]
        environ = {**os.environ, "PYTHONPATH": str(source), "PYTHONHASHSEED": "0", "DD_PA_TEST_RUN": "0"}
        subprocess.run(
            [*command, f"--callgrind-out-file={out}", sys.executable, *counted],
            check=True,
            env=environ,
            capture_output=True,
            text=True,
        )
        totals = [_total(Path(f"{out}.{number}-01")) for number in range(2, 2 + 2 * ROUNDS)]
    return (min(totals[1::2]) - min(totals[::2])) / (MANY - FEW)


def _total(dump: Path) -> int:
    found = re.search(r"^totals: (\d+)", dump.read_text(), re.MULTILINE)
    if found is None:
        raise LookupError(f"valgrind wrote no total into {dump}")
    return int(found[1])


@contextmanager
def revision(name: str) -> Iterator[Path]:
    """Unpack the core of a revision beside this one."""
    commit = RECORDED.read_text().split()[0] if name == "recorded" else name
    archive = subprocess.run(["git", "-C", ROOT, "archive", commit, "core"], check=True, stdout=subprocess.PIPE).stdout
    with tempfile.TemporaryDirectory() as directory:
        with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
            packed.extractall(directory, filter="data")
        yield Path(directory, "core")


def compare(against: str, limit: float | None) -> int:
    """Print both counts of each case; return 1 if one is beyond the limit."""
    with revision(against) as other, ThreadPoolExecutor(2) as pool:
        jobs = {case: [pool.submit(count, source, case) for source in (other, ROOT / "core")] for case in CASES}
        found = {case: [job.result() for job in both] for case, both in jobs.items()}
    worst = 0.0
    for case, (before, now) in found.items():
        change = (now / before - 1) * 100
        worst = max(worst, change)
        print(f"track(), {case:8} {before:10,.0f} {now:10,.0f} instructions {change:+6.1f} %")
    if limit is not None and worst > limit:
        print(f"track() became dearer by {worst:.1f} %; {limit:g} % are allowed against {against}")
        return 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", metavar="REVISION")
    parser.add_argument("--limit", type=float, metavar="PERCENT")
    asked = parser.parse_args()
    if asked.against is not None:
        return compare(asked.against, asked.limit)
    for case in CASES:
        print(f"track(), {case:8} {count(ROOT / 'core', case):10,.0f} instructions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
