"""Events agree with the table, whatever is done to it: triggers of the database are asked."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from django.apps import apps
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from dd_pa import identify
from dd_pa.testing import capture_events
from dd_pa_django.model_events.row_memory import MANY_ROWS
from tests.django_app.conftest import Configure
from tests.django_app.oracle.log import ChangeLog
from tests.django_app.oracle.machine import UNSEEN, Operations
from tests.django_app.oracle.models import KEEPER, Item, Owner, Shelf
from tests.django_app.oracle.mutants import MUTANTS
from tests.django_app.oracle.programs import PROGRAMS, Step
from tests.django_app.orders.databases import KINDS, alias_of

RUNS = int(os.environ.get("DD_PA_FUZZ", "0"))
"""How many random programs to run, each time others. Without it, a few that are always the same."""

PHASES = (Phase.generate,) if os.environ.get("DD_PA_ORACLE_SHRINKS") == "0" else (Phase.generate, Phase.shrink)

CANNOT_BE_DONE_HERE = {"Triggers and `ON DELETE` of the database", "Two transactions at the same time"}


@pytest.fixture(params=KINDS)
def using(request: pytest.FixtureRequest, tmp_path: Path, _configured: None, configure: Configure) -> Iterator[str]:
    """A database of its own on each kind of server, with its log."""
    configure(STRICT=True)
    with alias_of(request.param, tmp_path, "oracle") as alias:
        ChangeLog(alias).install()
        yield alias


@pytest.fixture
def other(tmp_path: Path) -> Iterator[str]:
    """Another database."""
    with alias_of("sqlite", tmp_path, "oracle") as alias:
        ChangeLog(alias).install()
        yield alias


@pytest.mark.filterwarnings("ignore:DateTimeField .* received a naive datetime")
def test_events_agree_with_the_table(using: str, other: str) -> None:
    """Each committed change has its event, with what was there before and what is there now; nothing else has one."""

    class Program(Operations):
        pass

    Program.using, Program.other = using, other
    run_state_machine_as_test(
        Program,
        settings=settings(
            max_examples=RUNS or 6,
            derandomize=not RUNS,
            database=None,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
            phases=PHASES,
        ),
    )


@pytest.mark.filterwarnings("ignore:DateTimeField .* received a naive datetime")
def test_programs_that_found_faults_still_agree(using: str, other: str) -> None:
    """One fault each, of those that a few random programs may miss."""

    class Program(Operations):
        pass

    Program.using, Program.other = using, other
    found = {name: disagreement(Program(), steps) for name, steps in PROGRAMS.items()}

    assert {name: problem for name, problem in found.items() if problem} == {}


def disagreement(program: Operations, steps: Sequence[Step]) -> str:
    """Return how events and triggers differ after these steps; nothing if they agree."""
    try:
        try:
            program.begins()
            for rule, given in steps:
                getattr(program, rule)(**given)
        finally:
            program.teardown()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def test_many_rows_of_two_objects_that_go_at_once(using: str, other: str) -> None:
    """Each row tells of both of its fields, also where so many are written that single ones are not remembered."""
    keeper, one, two = (Owner.objects.using(using).create(pk=pk) for pk in (KEEPER, 1, 2))
    made = [Item(owner=one, keeper=two) for _ in range(MANY_ROWS + 1)]
    Item._base_manager.using(using).bulk_create([*made, Item(owner=two, keeper=one)])

    with capture_events() as events, identify(usr="u-1"):
        Owner.objects.using(using).exclude(pk=keeper.pk).delete()

    assert Counter((event.name, str(event.attributes["changed"])) for event in events) == {
        ("item.owner", "{'owner': {'old': 1, 'new': None}}"): MANY_ROWS + 1,
        ("item.keeper", "{'keeper': {'old': 2, 'new': -1}}"): MANY_ROWS + 1,
        ("item.owner", "{'owner': {'old': 2, 'new': None}}"): 1,
        ("item.keeper", "{'keeper': {'old': 1, 'new': -1}}"): 1,
    }


@pytest.mark.parametrize("depth", [pytest.param(0, id="block"), pytest.param(1, id="savepoint")])
def test_a_row_of_which_nothing_is_read_and_whose_deletion_fails(using: str, other: str, depth: int) -> None:
    """Another instance deletes it once more: it was still there."""
    one = Shelf.objects.using(using).create()
    two = Shelf.objects.using(using).get()
    with capture_events() as events, identify(usr="u-1"), ExitStack() as around:
        for _ in range(depth):
            around.enter_context(transaction.atomic(using=using))
        with suppress(RuntimeError), transaction.atomic(using=using):
            one.delete()
            raise RuntimeError
        two.delete()

    assert [event.name for event in events] == ["shelf.gone"]


def test_what_is_not_seen_is_in_the_docs() -> None:
    """Each thing that the docs list is tried above, and nothing else is excused there."""
    chapter = Path("docs/django-models.md").read_text().partition("## What is not seen")[2].partition("\n## ")[0]
    listed = set(re.findall(r"^- \*\*(.+?)\*\*", chapter, re.MULTILINE))

    assert apps.is_installed("tests.django_app.oracle")
    assert listed == set(UNSEEN) | CANNOT_BE_DONE_HERE


def test_each_old_fault_can_still_be_put_back() -> None:
    """They are pieces of text, of files that are renamed and rewritten."""
    assert [mutant.name for mutant in MUTANTS if mutant.places() != 1] == []
