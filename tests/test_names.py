"""Modules are named by nouns with a role, so that a reader finds a thing by the path alone."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("core/dd_pa", "dd_pa_django", "dd_pa_flask", "dd_pa_pytest")

NOUNS = {"grouping", "linking", "listing", "mapping", "misspelling", "sampling", "streaming", "testbed", "tracking"}
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


TWINS = {
    "auth_events",
    "browser",
    "commit",
    "configuration",
    "identity",
    "login",
    "models",
    "session_fallback",
    "signal_events",
    "table",
    "declaration",
    "emitter",
    "stored_values",
}
"""What a framework's glue, or a library's, does in its own way; the core's part has the same name."""

COMMANDS = {"deliver", "doctor", "events", "init", "query", "spool", "stats"}
"""Modules of commands are called as one types them."""

OF_SEVERAL_ROOMS = {
    "asgi": "the public name, and what is behind it",
    "wsgi": "the public name, and what is behind it",
    "signals": "the public name, and what is behind it",
    "checks": "of settings, and Django's system checks",
    "settings": "ours, and what an HTTP/2 connection calls so",
    "dead_letters": "of the spool, and of a broker",
    "registry": "of event classes, and of models with events",
    "changes": "of a plan, and of a row",
}

CLASSES_OF_SEVERAL_ROOMS = {
    "Command": "Django wants the name",
    "Connection": "of HTTP/2, and what Flask's connect() returns",
    "EventBatch": "of a transaction of Django, and of SQLAlchemy",
    "ProductAnalyticsMiddleware": "a public name for each framework",
    "ProductAnalyticsPanel": "a public name for each framework",
}


def named(of: Callable[[Path], Iterable[str]]) -> dict[str, set[str]]:
    """Return where each name is; the emulator, which shares nothing with the rest, may have its own."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in modules():
        if not {"emulator", "migrations"} & set(path.parts):
            for name in of(path):
                found[name].add(str(path.relative_to(ROOT)))
    return found


def test_a_module_of_each_name_is_in_one_room() -> None:
    """But for what is told above with its reason."""
    shared = {stem for stem, paths in named(lambda path: [path.stem]).items() if len(paths) > 1}

    assert shared - TWINS - COMMANDS - set(OF_SEVERAL_ROOMS) == set()


def test_no_two_classes_have_one_name() -> None:
    """A reader who searches for a class finds that one."""

    def classes(path: Path) -> list[str]:
        tree = ast.parse(path.read_text())
        return [node.name for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]

    shared = {name: paths for name, paths in named(classes).items() if len(paths) > 1}

    assert {name: paths for name, paths in shared.items() if name not in CLASSES_OF_SEVERAL_ROOMS} == {}
