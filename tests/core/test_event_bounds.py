"""The worst that can be passed, built in a child process whose memory is limited to little more than it needs."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
HEADROOM = 64
"""MiB that the worst case may take, beyond those that the process had before."""


def grown(levels: int, innermost: Any, grow: Callable[[Any], Any]) -> Any:
    """Wrap a value again and again."""
    for _ in range(levels):
        innermost = grow(innermost)
    return innermost


def doubled(levels: int, innermost: Any) -> Any:
    """Return mappings that hold one mapping twice, many levels deep: 2**levels values in no memory."""
    return grown(levels, innermost, lambda value: {"a": value, "b": value})


def doubled_lists(levels: int, innermost: Any) -> Any:
    return grown(levels, innermost, lambda value: [value, value])


def deep(levels: int) -> Any:
    return grown(levels, 1, lambda value: {"a": value})


def cases() -> dict[str, Any]:
    """Return attributes by name; made in the child."""
    from tests.core.attribute_values import CYCLE, LIST_CYCLE, Endless, EndlessKeys, EndlessList  # noqa: PLC0415

    text, key = "x" * 900_000, "k" * 900_000
    shared = dict.fromkeys(map(str, range(900)), text[:1000])
    return {
        "doubled": doubled(30, 1),
        "doubled-within-the-depth": doubled(18, 1),
        "doubled-with-a-number-apart": doubled(18, Decimal(1)),
        "doubled-lists": {"a": doubled_lists(17, 1)},
        "doubled-mixed": {"a": doubled_lists(8, doubled(8, "x"))},
        "doubled-wide": grown(12, 1, lambda value: dict.fromkeys(map(str, range(50)), value)),
        "one-text-often": dict.fromkeys(map(str, range(900)), text),
        "one-text-often-in-a-list": {"a": [text] * 900},
        "one-key-often": {"a": [{key: 1}] * 400},
        "one-mapping-often": {"a": [shared] * 900},
        "long-keys-in-depth": grown(18, float("nan"), lambda value: {key: value, "b": [0] * 40}),
        "cycle": CYCLE,
        "list-cycle": {"a": LIST_CYCLE},
        "depth-1000": deep(1000),
        "depth-100000": deep(100_000),
        "huge-int": {"a": 10**10_000},
        "huge-int-key": {10**10_000: 1},
        "decimal-exponent": {"a": Decimal("1E+1000000"), "b": [Decimal("-1E-1000000")]},
        "decimal-digits": {"a": Decimal("1" * 1_000_000)},
        "endless": Endless(),
        "endless-keys": {"a": EndlessKeys()},
        "endless-list": {"a": EndlessList()},
        "all-at-once": {"a": Endless(), "b": doubled(30, text), "c": CYCLE, "d": EndlessList(), "e": 10**10_000},
    }


def peak() -> int:
    """Return the most memory that this process has had so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def child() -> None:
    """Build every case, strict and lenient, with and without BEFORE_SEND, and print what came of it."""
    from dd_pa import Emitter, EventError  # noqa: PLC0415
    from tests.core.wire import depth, parsed, settings, size  # noqa: PLC0415

    everything = cases()
    hooks = (None, lambda draft: draft)
    emitters = [
        (strict, Emitter(settings(strict=strict, before_send=hook))) for strict in (True, False) for hook in hooks
    ]
    emitters[0][1].integration.build("x.y", {"a": {"b": [1.5, None, Decimal(1)]}}, usr="u-1")
    pages, before = int(Path("/proc/self/statm").read_text().split()[0]), peak()
    limit = pages * resource.getpagesize() + 4 * HEADROOM * 2**20  # so that a failure does not take the machine along
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for name, attributes in everything.items():
        outcome = []
        for _, emitter in emitters:
            try:
                built = emitter.integration.build("x.y", attributes, usr="u-1")
            except EventError as error:
                outcome.append(f"EventError at {error.path[:20]}")
            else:
                body = parsed(built.body) if built else {}
                small = size(body) <= 1000 and depth(body) <= 20 and (built is None or len(built.body) <= 1_000_000)
                outcome.append(f"{'sent' if built else 'dropped'} {'within' if small else 'BEYOND'} the limits")
        print(json.dumps([name, [*outcome, peak() - before]]), flush=True)  # noqa: T201 - how the parent hears of it


@pytest.fixture(scope="module")
def outcomes() -> dict[str, list[Any]]:
    """What became of each case, and the memory that it took; those after one that killed the child are missing."""
    code = "from tests.core.test_event_bounds import child; child()"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    return dict(json.loads(line) for line in ran.stdout.splitlines())


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is limited and measured as Linux does it")
@pytest.mark.parametrize("name", list(cases()))
def test_the_worst_is_bounded(name: str, outcomes: dict[str, list[Any]]) -> None:
    """Strict mode refuses it, lenient mode sends or drops it; neither takes memory or time worth mentioning."""
    assert name in outcomes, f"the child died; it came as far as {list(outcomes)}"

    *strict_and_lenient, memory = outcomes[name]
    assert [outcome.partition(" ")[0] for outcome in strict_and_lenient[:2]] == ["EventError"] * 2
    assert set(strict_and_lenient[2:]) <= {"sent within the limits", "dropped within the limits"}
    assert memory <= HEADROOM
