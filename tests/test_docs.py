"""Each page holds against the code: its Python compiles, what it imports, sets and runs is there."""

from __future__ import annotations

import ast
import importlib
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args

import click
import pytest

from dd_pa import Identity, Settings, Stats, signals
from dd_pa.capture import event as event_module
from dd_pa.capture.event import EventBuilder
from dd_pa.capture.person import Traits
from dd_pa.cli.command_extras import COMMANDS
from dd_pa.delivery.event_age import without_session
from dd_pa.delivery.ledger import DropReason, LostIdentityReason
from dd_pa.delivery.worker import State
from dd_pa.doctor import as_numbers
from dd_pa.metrics import COUNTERS, GAUGES
from dd_pa.store.inspection import SpoolContents
from dd_pa_flask.commands import COMMANDS as FLASK_COMMANDS

ROOT = Path(__file__).parents[1]
SKILL = ROOT / "core/dd_pa/.agents/skills/dd-pa/SKILL.md"
PAGES = [ROOT / "README.md", SKILL, *sorted((ROOT / "docs").glob("*.md"))]
KEYS = {item.name.upper() for item in fields(Settings)}
OURS = ("dd_pa", "dd_pa_django", "dd_pa_flask", "dd_pa_pytest")


def blocks(page: Path, language: str) -> Iterator[str]:
    for block in re.findall(rf"^[ \t]*```{language}\n(.*?)^[ \t]*```$", page.read_text(), re.DOTALL | re.MULTILINE):
        yield textwrap.dedent(block)


def parsed(block: str) -> ast.Module:
    """Return a block's syntax tree; an ellipsis may stand for anything, `await` at the top for an async function."""
    tree = compile(block.replace("…", "..."), "page", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert isinstance(tree, ast.Module)
    return tree


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python(page: Path) -> None:
    """Every block is Python, and imports of ours what there is."""
    for block in blocks(page, "python"):
        for node in ast.walk(parsed(block)):
            if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in OURS:
                module = importlib.import_module(str(node.module))
                assert [name.name for name in node.names if not hasattr(module, name.name)] == [], block


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings(page: Path) -> None:
    """Every setting that a page names is one."""
    text = page.read_text()
    named = set(re.findall(r"DD_PA\[\"([A-Z_]+)\"\]", text)) | set(re.findall(r"\bDD_PA_([A-Z_]+[A-Z])\b", text))

    assert {
        name for name in named if not name.startswith(("DELIVER_FROM", "EMULATOR_", "RUM_OPTIONS", "TEST_RUN"))
    } <= KEYS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands(page: Path) -> None:
    """Every command that a page tells to run is there."""
    text = page.read_text()
    django = {path.stem for path in (ROOT / "dd_pa_django/management/commands").glob("dd_pa_*.py")}

    assert set(re.findall(r"manage\.py (dd_pa_\w+)", text)) <= django
    assert set(re.findall(r"flask dd-pa ([a-z]+)", text)) <= set(FLASK_COMMANDS)
    assert set(re.findall(r"^\$ dd-pa ([a-z]+)", text, re.MULTILINE)) <= set(COMMANDS)
    assert set(re.findall(r"`dd-pa ([a-z]+)[ `]", text)) <= set(COMMANDS)


def rows(page: str) -> set[str]:
    """Return what the first column of a page's tables names."""
    return set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / page).read_text(), re.MULTILINE))


def test_every_number_is_explained() -> None:
    """Whoever is called at night looks here for what a counter means, and what to do."""
    delivery = (ROOT / "docs/delivery.md").read_text()
    metrics = [name for name in (*COUNTERS, *GAUGES) if not name.startswith("dd_pa.tap.")]
    states, reasons = get_args(State), get_args(DropReason)
    (told,) = re.findall(r"^\| `state` \| (.*?) \|", delivery, re.MULTILINE)

    assert rows("delivery.md") == {item.name for item in fields(Stats)} | set(reasons)
    assert set(get_args(LostIdentityReason)) <= rows("jobs.md")
    assert re.findall(r"`(\w+)`", told) == list(states)
    assert [
        name for name in metrics if f"`{name}`" not in delivery and f"`.{name.split('.')[-1]}`" not in delivery
    ] == []
    assert [name for name in signals.__all__ if f"`{name}`" not in delivery] == []


def test_what_monitoring_reads_is_explained() -> None:
    """The checklist says which of the numbers to alarm on, and the names are those of the command."""
    contents = SpoolContents(bytes=0, segments=0, oldest=None, rejected=0, is_delivered=True, path="")
    named = set(re.findall(r"`(\w+)`", (ROOT / "docs/production.md").read_text()))

    assert {"outbox", *as_numbers(contents)} <= named


def options(command: click.Command) -> Iterator[str]:
    """Yield the long options of a command, and of those in it."""
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        yield from options(inner)
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield from (name for name in parameter.opts if name.startswith("--"))


def test_every_option_is_told() -> None:
    """On some page, beside what it is for; `--help` has the rest."""
    text = "\n".join(page.read_text() for page in PAGES)
    django = (ROOT / "dd_pa_django/management/commands").glob("dd_pa_*.py")
    there = {name for path in django for name in re.findall(r'add_argument\(\s*"(--[a-z-]+)"', path.read_text())}
    modules = [*(module for module, *_ in COMMANDS.values()), *FLASK_COMMANDS.values()]
    there |= {name for module in modules for name in options(importlib.import_module(module).command)}

    assert {name for name in there if not re.search(rf"{name}(?![\w-])", text)} == set()


def test_what_is_added_to_an_event_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing leaves that the page of events does not name; the attributes here are none."""
    monkeypatch.setattr(event_module, "current_trace", lambda: ("1" * 32, "2"))
    monkeypatch.setitem(sys.modules, "ddtrace", sys)
    settings = Settings(
        application_id="a", api_key="k", service="s", env="e", version="v", sample_rates={"*": 50}, spool_dir=None
    )
    traits = Traits(usr=b'"plan":"pro"', account=b'"tier":1', anonymous_id="x")
    built, _ = EventBuilder(settings).build("a.b", None, Identity(usr="u", account="a", session="s", traits=traits))
    late = without_session(built.body)
    assert late is not None
    bodies = [json.loads(built.body), json.loads(late)]
    ours = {f"dd_pa.{name}" for body in bodies for name in body["dd_pa"]}
    text = (ROOT / "docs/events.md").read_text()

    assert {name for body in bodies for name in body} == {
        *("type", "application", "event", "dd_pa", "service", "env", "version", "usr", "account", "session")
    }
    assert {name for name in ours if f"`{name}`" not in text} == set()
    assert ours == set(re.findall(r"`(dd_pa\.\w+)`", text))


def test_the_site_lists_every_page() -> None:
    """A page that nobody finds is not there."""
    listed = re.findall(r"^([a-z0-9/-]+)$", (ROOT / "site/index.md").read_text(), re.MULTILINE)

    assert {name for name in listed if "/" not in name} == {page.stem for page in PAGES[2:]}


@pytest.mark.parametrize("page", PAGES[2:], ids=lambda page: page.name)
def test_a_page_begins_with_what_it_is_about(page: Path) -> None:
    """Its first sentence stands beside its name in llms.txt, where an agent chooses by it."""
    title, first = re.sub(r"<!--.*?-->\n", "", page.read_text()).split("\n\n")[:2]

    assert title.startswith("# ")
    assert re.match(r"[\w`*\[“]", first), first


def test_addresses_of_the_site_are_those_of_pages() -> None:
    """Wherever one is written: in forms, in the skill, in what the package says."""
    folders = (".github", "core", "dd_pa_django", "dd_pa_flask", "dd_pa_pytest", "docs", "site")
    files = [*ROOT.glob("*.*"), *(file for folder in folders for file in (ROOT / folder).rglob("*"))]
    text = "\n".join(
        file.read_text() for file in files if file.suffix in (".cff", ".md", ".py", ".toml", ".txt", ".yml")
    )
    named = set(re.findall(r"https://dd-pa\.github\.io/dd-pa/([a-z][\w./-]*\w/?)", text))
    pages = {f"{page.stem}{ending}" for page in PAGES[2:] for ending in (".md", ".html")}

    assert named - pages - {"llms.txt"} == set()
