"""The bound of the dead letters: what gives way to newer ones is counted, and every file goes by itself."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from dd_pa import Settings
from dd_pa.delivery.backoff import RetryPolicy
from dd_pa.delivery.pipeline import Pipeline
from dd_pa.store.dead_letters import entries, settle
from tests.core.spools import INTAKE, Watched, event

TIGHT = 1 << 20
"""Bytes of a spool whose dead letters may take 64 KiB."""


def rejected(watched: Watched, count: int) -> list[str]:
    """Put so many events, have each rejected, and return their ids in that order."""
    done: list[str] = []
    for number in range(count):
        watched.put(event(number, text="x" * 900))
        for taken in watched.spool.take(10):
            assert watched.spool.reject(taken, "400", "no")
            done.append(taken.id)
    return done


def kept(watched: Watched) -> list[str]:
    """Return the ids of the dead letters, oldest first."""
    found = [entry.event("shop") for entry in entries(watched.destination.rejected())]
    return [one.id for one in found if one]


def gone(watched: Watched) -> list[str]:
    """Return the ids of what gave way, in that order."""
    return [one.id for reason, one in watched.dropped if one and reason == "dead_letters"]


def test_what_gives_way_is_counted(tmp_path: Path) -> None:
    """Each dead letter is on disk or was told of, and the bound holds."""
    watched = Watched(tmp_path / "spool", max_bytes=TIGHT)
    put = rejected(watched, 300)

    assert gone(watched) + kept(watched) == put
    assert gone(watched)
    assert sum(watched.destination.rejected().sizes().values()) <= TIGHT // 16 + TIGHT // 16 // 8 + 4096


def test_what_was_purged_is_not_counted_again(tmp_path: Path) -> None:
    """It was dealt with; its journal goes with the segment."""
    watched = Watched(tmp_path / "spool", max_bytes=TIGHT)
    first = rejected(watched, 30)
    directory = watched.destination.rejected()
    purged = [entry for entry in entries(directory) if entry.event("shop")][:3]
    settle(directory, purged, watched.destination.is_ours, lambda entry: True)
    rejected(watched, 300)

    assert set(gone(watched)).isdisjoint(first[:3])
    assert first[3] in gone(watched)
    names = set(directory.sizes())
    assert {name for name in names if name.endswith(".ack")} <= {name[:-4] + ".ack" for name in names if "seg" in name}


def test_a_file_that_cannot_be_opened_does_not_hold_the_rest_up(tmp_path: Path) -> None:
    """The next one goes in its place."""

    class Failing:
        def __getattr__(self, name: str) -> Any:
            return self.open if name == "open" else getattr(os, name)

        @staticmethod
        def open(path: str, flags: int, *values: Any, **options: Any) -> int:
            if path == bad and flags & os.O_RDWR:
                raise OSError(errno.EIO, "Input/output error")
            return os.open(path, flags, *values, **options)

    bad = ""
    watched = Watched(tmp_path / "spool", max_bytes=TIGHT, files=Failing())
    first = rejected(watched, 10)
    bad = watched.destination.rejected().names()[0]
    put = rejected(watched, 300)

    assert sorted(gone(watched) + kept(watched)) == sorted(first + put)
    assert bad in watched.destination.rejected().names()


def test_stats_show_what_gave_way(tmp_path: Path) -> None:
    """With its own reason, and counted as rejected before: so it is no part of what is queued twice."""
    settings = Settings(
        application_id="shop",
        api_key="k" * 32,
        intake_url=INTAKE,
        spool_dir=str(tmp_path / "spool"),
        spool_max_bytes=TIGHT,
    )
    way = Pipeline(None, settings, transport=None, retry=RetryPolicy())
    store = way._store
    for number in range(300):
        store.put(event(number, text="x" * 900))
        for taken in store.take(10):
            assert store.reject(taken, "400", "no")
            way.ledger.count_rejected(taken, "400", "no")
    stats = way.stats()
    store.close()

    assert stats.dropped["dead_letters"] > 100
    assert (stats.queued, stats.rejected, stats.pending) == (300, 300, 0)
