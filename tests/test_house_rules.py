"""What is asked of tests and of handlers of errors: found in the code, so that nobody has to look for it."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [ROOT / name for name in subprocess.check_output(["git", "ls-files", "*.py"], cwd=ROOT, text=True).split()]
TESTS = [
    path for path in FILES if path.is_relative_to(ROOT / "tests") and not path.is_relative_to(ROOT / "tests" / "typing")
]
"""But for what is read by type checkers only."""

PRODUCT = [path for path in FILES if not path.is_relative_to(ROOT / "tests")]
TREES = {path: ast.parse(path.read_text()) for path in FILES}

Function = ast.FunctionDef | ast.AsyncFunctionDef

ASSERTS = {"expect", "fail", "fnmatch_lines", "raises", "warns", "assert_called_once", "run_state_machine_as_test"}
"""What fails by itself: of pytest, of Playwright and of hypothesis."""

NO_ASSERTION = {
    "test_migrations_are_up_to_date": "the command ends with 1",
    "test_the_chapters_example": "the assertion is the chapter's",
    "test_each_fault_of_the_table_can_still_be_made": "a fault that cannot be made raises, or is no Python",
    "test_any_windows": "the peer that it talks to asserts",
    "test_a_strict_server_finds_no_fault": "the peer that it talks to raises",
}
"""Tests that pass where nothing raises, and what would."""

PAUSES = {
    "h2_intake.py": "an intake that hangs",
    "test_delivery_faults.py": "an intake that hangs, and one that drips",
    "test_emitter_life.py": "a transport that hangs",
    "test_gathering.py": "the loop's time is made up",
    "test_event_quarantine.py": "the loop's time is made up",
    "fleet.py": "the loop's time is made up",
    "intake.py": "the loop's time is made up",
    "test_connections.py": "a peer that hangs",
    "test_flow.py": "a peer that does not read, for long enough to bury it",
    "test_asgi.py": "a page that is produced little by little",
    "trial.py": "trouble comes at moments drawn at random",
    "publish.py": "it tracks slowly enough to be killed between two events",
}
"""Files with pauses that wait for nothing, and what they are."""


def calls(node: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Yield the last name of what is called."""
    for found in ast.walk(node):
        if isinstance(found, ast.Call):
            yield (found.func.attr if isinstance(found.func, ast.Attribute) else getattr(found.func, "id", "")), found


def functions(paths: list[Path]) -> Iterator[tuple[Path, Function]]:
    for path in paths:
        for node in ast.walk(TREES[path]):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def asserting_names() -> set[str]:
    """Return the names of functions of the tests that assert, or call what does."""
    found, before = set(ASSERTS), -1
    helpers = [node for _, node in functions(TESTS) if not node.name.startswith("test_")]
    while len(found) > before:
        before = len(found)
        found |= {
            node.name
            for node in helpers
            if any(isinstance(inner, ast.Assert) for inner in ast.walk(node))
            or any(name in found for name, _ in calls(node))
        }
    return found


def test_each_test_says_what_it_expects() -> None:
    """By an assertion, or by a call of what asserts; a test that can only end tells nobody what it is about."""
    asserting = asserting_names()
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path, node in functions(TESTS)
        if node.name.startswith("test_") and node.name not in NO_ASSERTION
        if not any(isinstance(inner, ast.Assert) for inner in ast.walk(node))
        and not any(name in asserting for name, _ in calls(node))
    ]

    assert silent == []


def pauses(tree: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls of `sleep` but in loops that look at something again and again."""
    loops = [node for node in ast.walk(tree) if isinstance(node, ast.While) and not isinstance(node.test, ast.Constant)]
    looks = {call for loop in loops for _, call in calls(loop)}
    for name, call in calls(tree):
        if name == "sleep" and ast.unparse(call.args[0]) != "0" and call not in looks:
            yield call


def test_no_test_waits_for_time_to_pass() -> None:
    """It waits for something to happen, and looks for that in a loop (`tests.waiting`, or one of its own)."""
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in TESTS
        if path.name not in PAUSES
        for call in pauses(TREES[path])
    ]

    assert found == []


def test_each_pause_that_is_allowed_is_there() -> None:
    """Of a file that has none any more nothing need be said."""
    with_pauses = {path.name for path in TESTS if any(pauses(TREES[path]))}

    assert set(PAUSES) - with_pauses == set()


@pytest.mark.parametrize("paths", [pytest.param(PRODUCT, id="product"), pytest.param(TESTS, id="tests")])
def test_who_catches_everything_says_why(paths: list[Path]) -> None:
    """Or uses what it has caught, or lets it go on."""
    unexplained = []
    for path in paths:
        lines = path.read_text().splitlines()
        for node in ast.walk(TREES[path]):
            if not isinstance(node, ast.ExceptHandler) or "#" in lines[node.lineno - 1]:
                continue
            caught = "" if node.type is None else ast.unparse(node.type)
            if caught in ("", "Exception", "BaseException") and not _deals_with(node):
                unexplained.append(f"{path.relative_to(ROOT)}:{node.lineno}")

    assert unexplained == []


def _deals_with(handler: ast.ExceptHandler) -> bool:
    inner = [node for statement in handler.body for node in ast.walk(statement)]
    uses = any(isinstance(node, ast.Name) and node.id == handler.name for node in inner)
    tells = any(name in ("print_exc", "format_exc") for statement in handler.body for name, _ in calls(statement))
    return uses or tells or any(isinstance(node, ast.Raise) for node in inner)
