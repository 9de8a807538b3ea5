from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SEEDS = os.environ.get("SIMULATION_SEEDS", "0:20")
HOLDING = "kill,ends,stall,lost,flaky"
"""Kinds of trouble that are mended on main; without --kinds, each seed has its own of all kinds."""


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the simulation in a process of its own, which it changes from the ground up."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("DD_", "PYTEST_", "PYTHONDEVMODE"))}
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        check=False,
        text=True,
    )


def test_all_promises_hold_whatever_happens() -> None:
    """See `invariants.py` for the promises, `plan.py` for what happens."""
    done = simulate("--seeds", SEEDS, "--jobs", "2", "--kinds", HOLDING)

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_seed_replays() -> None:
    """A failure can be looked at again: each run of a seed is the same to the last thread and byte."""
    first, second = simulate("--seed", "4"), simulate("--seed", "4")

    assert first.stdout == second.stdout
    assert "log " in first.stdout
