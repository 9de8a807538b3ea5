"""Counters that any thread may raise."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import dd_pa
from dd_pa.process.atomic_counter import HAS_GIL, Tally, atomic

THREADS, TURNS = 4, 2_000
ONE_THREAD = {"delivery/event_quarantine.py", "relay/claims.py", "relay/redis_publisher.py"}
"""What counts in the delivery's loop alone, which is one thread."""


@pytest.fixture(autouse=True)
def _switching() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("has_gil", [True, False])
def test_no_number_comes_twice(*, has_gil: bool) -> None:
    """With the lock of free threading, and without where a GIL makes it needless."""
    if has_gil and not HAS_GIL:
        pytest.skip("this interpreter has no GIL")
    step = atomic(itertools.count(), has_gil=has_gil)
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda _: [step() for _ in range(TURNS)], range(THREADS)))

    assert sorted(itertools.chain(*found)) == list(range(THREADS * TURNS))


@pytest.mark.parametrize("has_gil", [HAS_GIL, False])
def test_a_tally_counts_all(*, has_gil: bool) -> None:
    tally = Tally(has_gil=has_gil)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda _: [tally.add() for _ in range(TURNS)], range(THREADS)))

    assert tally.value == THREADS * TURNS


def test_counters_are_of_one_thread_or_made_here() -> None:
    """`itertools.count` is no counter for several threads where there is no GIL."""
    root = Path(dd_pa.__file__).parent
    counting = {str(file.relative_to(root)) for file in root.rglob("*.py") if "itertools.count(" in file.read_text()}

    assert counting - ONE_THREAD == {"process/atomic_counter.py"}
