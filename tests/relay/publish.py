"""Run by tests: tracks events, writes each id to a file once it is tracked, and is killed at some time."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from dd_pa import Emitter, Settings

PACE = 0.002
"""Seconds between two events, so that a kill comes between; another may be named."""


def main(url: str, spool: str, noted: str, count: int, pace: float = PACE) -> None:
    """Track events until there are enough, deliver them, and end."""
    settings = Settings(application_id="shop", relay_url=url, spool_dir=spool, shutdown_timeout=30.0)
    with Path(noted).open("a") as ids, Emitter(settings) as emitter:
        for number in range(count):
            ids.write(f"{emitter.track('order.paid', {'number': number}, usr='u-1')}\n")
            ids.flush()
            time.sleep(pace)


if __name__ == "__main__":
    _, url, spool, noted, count, *pace = sys.argv
    main(url, spool, noted, int(count), *map(float, pace))
