"""The emulator's page in Chromium with more and more events: when a view shows something, and how long it blocks.

Run alone: `python -m benchmarks.emulator_page`, with `--small` for a look. Needs Chromium on the PATH.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.emulator_engine import NAMES, Server, event
from benchmarks.report import Aim, Section, Table, aims, run

SIZES = (1_000, 10_000, 100_000, 1_000_000)
SMALL = (1_000, 10_000)
SPAN = 90 * 24 * 3600 * 1000
ROUNDS = 3

TEXT = """
Server events of 11 facets over the last 90 days, eight to a session, lie in the emulator's folder. Chromium opens each
view anew, three times; the median counts. "Picture" is the time from the navigation to the first row, bar or node that
tells something of the data; "block" is the longest task of the page's main thread. Everything shares two cores.
"""

STEPS = "&".join(f"step=event:{name}" for name in (*NAMES[1:3], NAMES[4]))
VIEWS = {
    "Live": ("/", ".row"),
    "Sessions": ("/sessions", ".session-row"),
    "Explore": ("/explore?last=90d", ".legend tbody tr"),
    "Funnel": (f"/funnel?{STEPS}&last=90d", ".stage"),
    "Funnel, a window": (f"/funnel?{STEPS}&last=90d&by=users&within=24h", ".stage"),
    "Retention": ("/retention?last=90d", ".retention tbody tr"),
    "Paths": ("/paths?last=90d", ".flow .node"),
}

# Before anything of the page: notes when the selector first matches, and each task of more than 50 ms.
WATCH = """selector => {
    window.watched = { picture: null, block: 0 };
    new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) watched.block = Math.max(watched.block, duration);
    }).observe({ type: "longtask", buffered: true });
    const look = () => {
        if (watched.picture === null && document.querySelector(selector))
            requestAnimationFrame(() => setTimeout(() => { watched.picture ??= performance.now(); }));
    };
    new MutationObserver(look).observe(document, { childList: true, subtree: true });
}"""


def fill(folder: Path, events: int) -> None:
    """Put events of the last 90 days into a data folder."""
    from dd_pa.emulator.warehouse.table_row import Event
    from dd_pa.emulator.warehouse.warehouse import Warehouse

    rng, now = random.Random(1), int(time.time() * 1000)
    warehouse = Warehouse(folder, time.time)
    for first in range(0, events, 20_000):
        numbers = range(first, min(events, first + 20_000))
        warehouse.put([Event(ts=now - SPAN + SPAN * n // events, body=event(rng, n)) for n in numbers])
        warehouse.catalogue(600)
    warehouse.close()


def watched(browser: Any, base: str, address: str, selector: str) -> tuple[float, float]:
    """Open a view in a profile of its own; returns when it showed something, and its longest task, milliseconds."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.add_init_script(f"({WATCH})({selector!r})")
    page.goto(base + address)
    page.locator(selector).first.wait_for(timeout=120_000)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 200)))")
    found: dict[str, float] = page.evaluate("() => watched")
    context.close()
    return found["picture"], found["block"]


def measured(events: int) -> dict[str, tuple[float, float]]:
    """Medians of all views over so many events."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        folder = Path(directory) / "data"
        fill(folder, events)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        with Server(folder, os.sched_getaffinity(0)) as server:
            base = f"http://127.0.0.1:{server.port}"
            found = {
                name: sorted(watched(browser, base, *view) for _ in range(ROUNDS))[ROUNDS // 2]
                for name, view in VIEWS.items()
            }
        browser.close()
    return found


def benchmark(small: bool) -> Section:
    sizes = SMALL if small else SIZES
    all_of_them = {events: measured(events) for events in sizes}
    largest = all_of_them[sizes[-1]]
    slowest, blocked = max(one[0] for one in largest.values()), max(one[1] for one in largest.values())
    pictures = [[name, *(f"{found[name][0]:,.0f}" for found in all_of_them.values())] for name in VIEWS]
    blocks = [[name, *(f"{found[name][1]:,.0f}" for found in all_of_them.values())] for name in VIEWS]
    heads = ["view", *(f"{events:,} events" for events in sizes)]
    return Section(
        name="emulator_page",
        text=TEXT,
        tables=[
            Table(title="First picture, ms", columns=heads, rows=pictures),
            Table(title="Longest block of the main thread, ms (0: none over 50)", columns=heads, rows=blocks),
            aims(
                Aim(f"first picture of {sizes[-1]:,} events", "≤ 1 s", f"{slowest / 1000:.2f} s", slowest <= 1000),
                Aim("longest block", "≤ 100 ms", f"{blocked:,.0f} ms", blocked <= 100),
            ),
        ],
    )


if __name__ == "__main__":
    if shutil.which("chromium") is None:
        sys.exit("no chromium on the PATH (Debian: apt install chromium)")
    run(benchmark)
