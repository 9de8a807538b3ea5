"""Modules are named by nouns with a role, so that a reader finds a thing by the path alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("core/dd_pa", "dd_pa_django", "dd_pa_flask", "dd_pa_pytest")

NOUNS = {"binding", "grouping", "linking", "listing", "mapping", "sampling", "streaming", "testbed", "tracking"}
"""What ends like a participle and is a word of the field."""

SAY_NOTHING = {"base", "common", "core", "helper", "helpers", "manager", "managers", "misc", "mixins", "util", "utils"}
ADJECTIVES = {"alone", "flat", "late", "old", "older", "plain", "printable", "quiet", "recent", "stepwise", "visible"}


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (path for path in (ROOT / package).rglob("*.py") if not path.name.startswith("__"))


def test_modules_are_named_by_nouns() -> None:
    """No bare participle or adjective, and nothing that could hold anything."""
    bare = [
        str(path.relative_to(ROOT))
        for path in modules()
        if path.stem in SAY_NOTHING | ADJECTIVES
        or (re.fullmatch("[a-z]+(ed|ing)", path.stem) and path.stem not in NOUNS)
    ]

    assert bare == []


@pytest.mark.parametrize(
    "room", ["core/dd_pa/capture", "core/dd_pa/delivery", "core/dd_pa/store", "core/dd_pa/gateways"]
)
def test_no_word_of_the_way_of_an_event_stands_for_two_things(room: str) -> None:
    """A name that two rooms use is a word of the field, of which each has its own."""
    shared = {"connection", "event", "exchange", "fields", "rum", "settings", "writer"}
    own = {path.stem for path in (ROOT / room).rglob("*.py") if not path.name.startswith("__")}
    other_rooms = ("capture", "delivery", "store", "gateways", "settings", "process", "observe", "outbox", "jobs")
    others = {
        path.stem
        for name in other_rooms
        if f"core/dd_pa/{name}" != room
        for path in (ROOT / "core" / "dd_pa" / name).rglob("*.py")
        if not path.name.startswith("__")
    }

    assert own & others - shared == set()
