"""The instructions of `track()`, as a part of the page; `benchmarks.instructions` compares revisions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from shutil import which

from benchmarks.instructions import CASES, ROOT, count
from benchmarks.report import Section, Table, run

TEXT = """\
Instructions of the calling thread, counted by callgrind, which no other load changes: five attributes and three ids
(*decimal*: one of them a Decimal; *nested*: two dicts; *identity*: the ids come from a callable, as in a web framework;
*many*: 200 attributes). CI refuses a `track()` that became more than 5 % dearer.
"""


def benchmark(small: bool) -> Section:
    if which("valgrind") is None:
        text = "valgrind is not installed where this was run, so nothing was counted."
        return Section(name="counts", text=text, tables=[], distributions=("dd-pa",))
    cases = CASES[:1] if small else CASES
    with ThreadPoolExecutor(2) as pool:
        counted = dict(zip(cases, pool.map(lambda case: count(ROOT / "core", case), cases), strict=True))
    rows = [[case, f"{number:,.0f}", f"{number / counted[CASES[0]]:.2f}"] for case, number in counted.items()]
    table = Table(title="Instructions of one `track()`", columns=["", "instructions", "× memory"], rows=rows)
    return Section(name="counts", text=TEXT, tables=[table], distributions=("dd-pa",))


if __name__ == "__main__":
    run(benchmark)
