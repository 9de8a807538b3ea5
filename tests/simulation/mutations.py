"""`python -m tests.simulation.mutations`: which seed finds each fault made on purpose; it tests the simulation."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import dd_pa
from tests.simulation.campaigns import CAMPAIGNS, Campaign
from tests.simulation.faulty_code import LIMIT, MUTATIONS, Mutation

ROOT = Path(__file__).parents[2]
CODE = Path(dd_pa.__file__).parent
FLEET = ("tests/core/test_rate_limit.py", "tests/simulation/test_fleet.py")
"""One process's pace by itself, and what hundreds come to together."""

SHOWN = 90
"""Characters of a violation."""


class Found(NamedTuple):
    """What became of one."""

    mutation: Mutation
    seed: str
    """Empty if no seed found it."""

    violation: str


def mutated(mutation: Mutation) -> str:
    """Return the file's text with the fault. Raises `ValueError` if the place is not there exactly once."""
    text = (CODE / mutation.path).read_text()
    if text.count(mutation.old) != 1:
        raise ValueError(f"{mutation.path} has changed: there is no such place any more for {mutation.fault!r}")
    return text.replace(mutation.old, mutation.new)


def hunt(mutation: Mutation, campaigns: Iterable[Campaign]) -> Found:
    """Run campaigns over a copy of the code with the fault, until a seed fails."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(CODE, Path(folder) / "dd_pa", ignore=shutil.ignore_patterns("__pycache__", "emulator"))
        (Path(folder) / "dd_pa" / mutation.path).write_text(mutated(mutation))
        if mutation.path == LIMIT:
            return Found(mutation, *_first_failing_test(folder))
        for campaign in campaigns:
            if outcome := _first_failure(folder, campaign):
                words = str(outcome["violations"][0]).strip().splitlines()[-1]
                return Found(mutation, f"{outcome['seed']} {campaign.kinds}".strip(), words)
    return Found(mutation, "", "")


def _first_failing_test(folder: str) -> tuple[str, str]:
    """Run the simulation of a fleet; return the test that fails, and how. Its seeds are its own."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "--tb=line", "-p", "no:cacheprovider", "--noconftest", *FLEET],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
        text=True,
    )
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    if done.returncode and not failed:
        raise RuntimeError(done.stdout + done.stderr)
    test, _, how = failed[0].partition(" - ") if failed else ("", "", "")
    return test.rpartition("::")[2], how


def _first_failure(folder: str, campaign: Campaign) -> dict[str, Any] | None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.simulation",
            "--first",
            "--json",
            "--no-shrink",
            "--jobs",
            "1",
            *campaign.options,
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
        text=True,
    )
    if not done.returncode:
        return None
    if not done.stdout:
        raise RuntimeError(done.stderr)
    outcome: dict[str, Any] = json.loads(done.stdout.splitlines()[0])
    return outcome


def table(results: list[Found]) -> str:
    """Return them as Markdown."""
    lines = ["| fault | in | found by seed | as |", "|---|---|---|---|"]
    for mutation, seed, violation in results:
        words = violation.replace("|", "\\|")[:SHOWN]
        lines.append(f"| {mutation.fault} | `{mutation.path}` | {seed or '**not found**'} | {words} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutations")
    parser.add_argument("--only", default="", help="those whose fault or file has this in it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    chosen = [one for one in MUTATIONS if arguments.only in one.fault or arguments.only in one.path]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        results = list(pool.map(lambda one: hunt(one, CAMPAIGNS), chosen))
    print(table(results))
    missed = sum(not found.seed for found in results)
    print(f"\n{len(results) - missed} of {len(results)} are found.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
