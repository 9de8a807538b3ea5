"""The table of docs/http2.md names tests, and doings of the peer, that there are; and leaves out none of these."""

from __future__ import annotations

import re
from pathlib import Path

from tests.http2.test_answers import MALFORMED, WELL
from tests.http2.test_faults import FAULTS

HERE = Path(__file__).parent
TABLE = (HERE.parents[1] / "docs/http2.md").read_text().partition("## Rule by rule")[2].partition("\n## ")[0]
TESTS = {name for path in HERE.glob("test_*.py") for name in re.findall(r"def test_(\w+)", path.read_text())}


def tried() -> list[str]:
    """Return the last cell of each rule."""
    return [row.rstrip(" |").rpartition(" | ")[2] for row in TABLE.splitlines() if re.match(r"\| [\dnT]", row)]


def test_the_table_names_what_there_is() -> None:
    cells = " ".join(tried())

    assert set(re.findall(r"`(\w+)`", cells)) <= TESTS
    assert {name for name in re.findall(r"\*([^*]+)\*", cells) if name[0] != "…"} <= {*FAULTS, *WELL, *MALFORMED}


def test_the_table_counts_the_floods() -> None:
    floods = [
        name
        for name in FAULTS
        if name.endswith("without end") and name not in ("a length without end", "a number without end")
    ]

    assert f"{len(floods)} *… without end*" in TABLE
