"""`python -m tests.simulation`: run seeds, each in a process of its own; a failing one is made smaller and printed."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import gc
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from tests.simulation.interposition import install

LIMIT = 120
"""Seconds of real time for one seed."""

SHOWN = 60
"""Lines of the log that are shown of a failing seed."""

Outcome = dict[str, Any]


def run_apart(seed: str, only: Iterable[str] | None) -> Outcome:
    """Run one seed in a forked child, so that nothing of one reaches another."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # else the library under test would handle it
        faulthandler.dump_traceback_later(LIMIT, exit=True)
        with contextlib.suppress(BaseException), open(writing, "w") as pipe:
            json.dump(_run(seed, only), pipe)
        os._exit(0)
    os.close(writing)
    with open(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    if not text:
        return _failure(seed, f"it did not end within {LIMIT} s")
    outcome: Outcome = json.loads(text)
    return outcome


def _run(seed: str, only: Iterable[str] | None) -> Outcome:
    from tests.simulation.simulation import simulate  # noqa: PLC0415 - after the interposition

    gc.disable()
    try:
        return asdict(simulate(seed, only))
    except BaseException:
        return _failure(seed, traceback.format_exc())


def _failure(seed: str, text: str) -> Outcome:
    return {"seed": seed, "kinds": [], "violations": [text], "log": [], "events": 0, "digest": ""}


def shrink(outcome: Outcome) -> Outcome:
    """Leave out kinds of trouble for as long as it still fails."""
    smallest = outcome
    for kind in outcome["kinds"]:
        fewer = [one for one in smallest["kinds"] if one != kind]
        tried = run_apart(outcome["seed"], fewer)
        if tried["violations"]:
            smallest = tried
    return smallest


def show(outcome: Outcome, whole: bool) -> None:
    """Print what a failing seed did."""
    kinds = ",".join(outcome["kinds"])
    print(f"\nSEED {outcome['seed']} fails with {kinds or 'no trouble at all'}")
    for violation in outcome["violations"][: None if whole else 6]:
        print(f"  {violation}")
    lines = outcome["log"] if whole else _about(outcome)
    print("\n".join(f"    {line}" for line in lines))
    print(f"  log {outcome['digest']}; again: make simulate SEED={outcome['seed']} KINDS={kinds or 'none'}", flush=True)


def _about(outcome: Outcome) -> list[str]:
    """Return the lines of the log that tell of the first violation's event, and of what went wrong with the machine."""
    words = outcome["violations"][0].split()[:1]
    general = (" kill ", " disk ", " clock ", " stall ", " heal ", " VIOLATION ", " log ", " start ", " end ")
    lines = [line for line in outcome["log"] if words[0] in line or any(word in line for word in general)]
    return lines[:SHOWN] if len(lines) <= SHOWN else [*lines[: SHOWN // 2], "…", *lines[-SHOWN // 2 :]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", default="0:100", help="from:to")
    parser.add_argument("--seed", help="only this one, with its whole log")
    parser.add_argument(
        "--kinds", help="with these kinds of trouble instead of the seed's own, separated by commas; none"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="seeds at the same time")
    parser.add_argument("--json", action="store_true", help="print one line of JSON for each failing seed")
    parser.add_argument("--no-shrink", action="store_true")
    parser.add_argument("--first", action="store_true", help="end at the first that fails")
    arguments = parser.parse_args()
    only = None if arguments.kinds is None else [kind for kind in arguments.kinds.split(",") if kind != "none"]
    install()
    from tests.simulation.simulation import prepare  # noqa: PLC0415 - after the interposition

    prepare()
    gc.collect()
    gc.freeze()
    if arguments.seed is not None:
        outcome = run_apart(arguments.seed, only)
        show(outcome, whole=True)
        return 1 if outcome["violations"] else 0
    return _run_many(arguments, only)


def _run_many(arguments: argparse.Namespace, only: list[str] | None) -> int:
    first, last = map(int, arguments.seeds.split(":"))
    began = time.monotonic()
    jobs = [_begin(range(first + job, last, arguments.jobs), arguments, only) for job in range(arguments.jobs)]
    failed = sum(os.waitstatus_to_exitcode(os.waitpid(job, 0)[1]) != 0 for job in jobs)
    print(f"{last - first} seeds in {time.monotonic() - began:.1f} s", file=sys.stderr)
    return 1 if failed else 0


def _begin(seeds: Iterable[int], arguments: argparse.Namespace, only: list[str] | None) -> int:
    """Run some seeds in a process; return its id."""
    job = os.fork()
    if job:
        return job
    failed = False
    try:
        for seed in seeds:
            failed |= _fails(str(seed), arguments, only)
            if failed and arguments.first:
                break
    except BaseException:
        traceback.print_exc()
        failed = True
    os._exit(failed)


def _fails(seed: str, arguments: argparse.Namespace, only: list[str] | None) -> bool:
    outcome = run_apart(seed, only)
    if not outcome["violations"]:
        return False
    if arguments.json:
        print(json.dumps({key: outcome[key] for key in ("seed", "kinds", "violations")}), flush=True)
    else:
        show(outcome if arguments.no_shrink else shrink(outcome), whole=False)
    return True


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of a set must replay too
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"})
    sys.exit(main())
