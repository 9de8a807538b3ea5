from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.campaigns import CAMPAIGNS, Campaign
from tests.simulation.faulty_code import MUTATIONS, Mutation
from tests.simulation.mutations import mutated

ROOT = Path(__file__).parents[2]


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


@pytest.mark.parametrize("campaign", CAMPAIGNS, ids=lambda campaign: campaign.kinds or "all kinds")
def test_all_promises_hold_whatever_happens(campaign: Campaign) -> None:
    """See `invariants.py` for the promises, `plan.py` for what happens."""
    done = simulate("--jobs", "2", *campaign.options)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.fault)
def test_each_fault_of_the_table_can_still_be_made(mutation: Mutation) -> None:
    """Else the table in README.md tells of code that is not there any more."""
    compile(mutated(mutation), mutation.path, "exec")


def test_a_seed_replays() -> None:
    """A failure can be looked at again: each run of a seed is the same to the last thread and byte."""
    first, second = simulate("--seed", "4"), simulate("--seed", "4")

    assert first.stdout == second.stdout
    assert "log " in first.stdout
