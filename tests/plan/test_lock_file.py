"""The lock file, and the command that compares it with the classes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from dd_pa import PlanError
from dd_pa.cli.events import command
from dd_pa.plan import lock_file
from dd_pa.plan.model import Field, Plan, PlannedEvent, Type

PLAN = Plan(
    {
        "b": PlannedEvent(name="b", owner="shop", description="B.", source="shop.events.B"),
        "a": PlannedEvent(name="a", fields={"x": Field(types=(Type(kind="null"), Type(kind="text")), required=False)}),
    }
)
SHOP = '''
from msgspec import Struct
from dd_pa import Event

class Order(Struct):
    total: int

class Paid(Event, name="shop.paid", owner="payments"):
    """A customer has paid."""
    order: Order
    coupon: str | None = None
'''
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run `dd-pa events` in a directory, in a process of its own; return its code and what it printed."""

    def run_events(*arguments: str, **files: str) -> tuple[int, str]:
        for name, content in files.items():
            (tmp_path / f"{name}.py").write_text(content)
        command = [sys.executable, "-c", "from dd_pa.cli.program import main; main()", "events", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return run_events


def test_a_lock_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    """And is the same bytes for the same plan, sorted by name."""
    lock_file.write(tmp_path / "lock", PLAN)
    found = lock_file.read(tmp_path / "lock")

    assert found is not None
    assert found.events == PLAN.events
    assert lock_file.encoded(found) == (tmp_path / "lock").read_bytes()
    assert [event["name"] for event in json.loads(lock_file.encoded(PLAN))["events"]] == ["a", "b"]
    assert lock_file.read(tmp_path / "none") is None


CONTENT = lock_file.encoded(PLAN).decode()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"version": 2, "events": [], "more": 1}', "is of version 2, and this dd-pa knows 1: a newer one"),
        (f"<<<<<<< HEAD\n{CONTENT}=======\n{CONTENT}>>>>>>> x\n", "lock:1: has the marks of a merge conflict: keep"),
        ('{"version": 1, "events": [{"name": "a"}, {"name": "a"}]}', "has 'a' twice: a merge has kept both"),
        ("", "is no lock file of events"),
        ("[]", "is no lock file of events"),
        ("\xff", "is no lock file of events"),
        ('{"version": 1, "events": [{"nome": "a"}]}', "is damaged: Object missing required field `name`"),
        (CONTENT.replace('"null"', '"blob"'), "is damaged: Invalid enum value 'blob'"),
    ],
)
def test_bad_lock_files(tmp_path: Path, content: str, problem: str) -> None:
    """Each says what is wrong, and what to do."""
    (tmp_path / "lock").write_bytes(content.encode("latin-1"))

    with pytest.raises(PlanError) as error:
        lock_file.read(tmp_path / "lock")

    assert problem in str(error.value)


def test_a_directory_in_place_of_the_file(tmp_path: Path) -> None:
    """Neither read nor written, and said."""
    with pytest.raises(PlanError, match="cannot be read: Is a directory"):
        lock_file.read(tmp_path)
    with pytest.raises(PlanError, match="cannot be written: Is a directory"):
        lock_file.write(tmp_path, PLAN)


def test_the_life_of_a_plan(run: Run, tmp_path: Path) -> None:
    """Written, checked, changed, refused, recorded."""
    assert run("check", "shop", shop=SHOP) == (
        1, "events.lock.json: is not there yet; write it with dd-pa events check --update\n"
    )  # fmt: skip
    assert run("check", "--update", "shop") == (
        0, "compatible  shop.paid is new\nevents.lock.json: 1 event written\n"
    )  # fmt: skip
    assert run("check", "shop") == (0, "events.lock.json: 1 event as agreed\n")
    changed = SHOP.replace("total: int", "total: str").replace("coupon: str | None = None", "coupon: str = ''")
    found = (
        "BREAKING    shop.paid: order.total was a whole number, and is a text now\n"
        "compatible  shop.paid: coupon is never null any more\n"
    )
    assert run("check", "shop", shop=changed) == (
        1,
        f"{found}events.lock.json: 2 changes not recorded, 1 breaking for readers; "
        "record with dd-pa events check --update\n",
    )
    assert run("check", "--update", "shop") == (0, f"{found}events.lock.json: 1 event written\n")
    assert run("check", "shop") == (0, "events.lock.json: 1 event as agreed\n")


def test_modules_of_the_project(run: Run, tmp_path: Path) -> None:
    """`pyproject.toml` names them once for all."""
    (tmp_path / "pyproject.toml").write_text('[tool.dd-pa]\nevent-modules = ["shop"]\n')

    assert run("check", "--update", shop=SHOP)[0] == 0
    (tmp_path / "pyproject.toml").write_text('[tool.dd-pa]\nevent-modules = "shop"\n')
    assert "event-modules is a list of modules" in run("check")[1]
    (tmp_path / "pyproject.toml").write_text("[tool.dd-pa\n")
    assert "pyproject.toml: cannot be read" in run("check")[1]


def test_no_class_at_all(run: Run) -> None:
    """Is no empty plan, but a module that was not named."""
    code, said = run("check")

    assert code == 1
    assert "no class of an event is imported; if there is one in a module, name it: dd-pa events check" in said


def test_a_module_that_is_not_imported(run: Run) -> None:
    """Its events are missing, and it is said which module had them."""
    other = SHOP.replace("shop.paid", "billing.paid")
    assert run("check", "--update", "shop", "billing", shop=SHOP, billing=other)[0] == 0

    code, said = run("check", "shop")

    assert code == 1
    assert "BREAKING    billing.paid was removed" in said
    assert "billing.paid was declared in billing, which is not imported: name it: dd-pa events" in said


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (SHOP + "\nclass Again(Event, name='shop.paid'): pass", "Again: 'shop.paid' is the name of shop.Paid"),
        (SHOP + "\nclass Bad(Event, name='shop.bad'):\n    x: bytes", "Bad.x: bytes cannot be sent"),
        ("1/0", "shop: cannot be imported: ZeroDivisionError: division by zero"),
    ],
)
def test_modules_that_cannot_be_imported(run: Run, content: str, problem: str) -> None:
    """The class's own error, or the module's, in one line."""
    code, said = run("check", "shop", shop=content)

    assert code == 1
    assert problem in said
    assert "Traceback" not in said


def test_a_conflict_is_written_anew(run: Run, tmp_path: Path) -> None:
    """What is declared decides, where that is asked for."""
    run("check", "--update", "shop", shop=SHOP)
    path = tmp_path / lock_file.NAME
    good = path.read_text()
    path.write_text(f"<<<<<<< HEAD\n{good}=======\n{good}>>>>>>> x\n")

    assert run("check", "shop")[0] == 1
    assert run("check", "--update", "shop")[0] == 0
    assert path.read_text() == good


def test_a_day_that_has_come(run: Run) -> None:
    """What is deprecated may go, and that is said without a failure."""
    old = SHOP.replace('owner="payments"', 'deprecated="2020-01-01"')

    assert run("check", "--update", "shop", shop=old)[0] == 0
    assert run("check", "shop") == (
        0,
        "note        shop.paid may be removed: it was deprecated until 2020-01-01\n"
        "events.lock.json: 1 event as agreed\n",
    )


def test_help() -> None:
    """It names the way to name modules."""
    assert "event-modules" in CliRunner().invoke(command, ["check", "--help"]).output


def test_every_part_is_recorded() -> None:
    """A plan's structs have no member that a lock file would lose."""
    event = PlannedEvent(name="x", fields={"y": Field(types=(Type(kind="any"),), personal=True)})

    assert msgspec.json.decode(msgspec.json.encode(event), type=PlannedEvent) == event


def test_against_a_revision(run: Run, tmp_path: Path) -> None:
    """What a branch changes, beside the one it goes to; recorded or not, a breaking change is one."""

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "shop.py").write_text(SHOP)
    git("init", "--initial-branch=main")
    git("commit", "--allow-empty", "--message=before")
    new = run("check", "--against", "HEAD", "shop")
    run("check", "--update", "shop")
    git("add", "events.lock.json")
    git("commit", "--message=agreed")
    run("check", "--update", "shop", shop=SHOP.replace("coupon", "voucher"))

    assert new == (0, "compatible  shop.paid is new\nsince HEAD: 1 change, 0 breaking for readers\n")
    code, said = run("check", "--against", "HEAD", "shop")
    assert code == 1
    assert said.startswith("BREAKING    shop.paid: coupon was renamed to voucher")
    assert said.endswith("since HEAD: 1 change, 1 breaking for readers\n")
    assert "no/where: is no revision of git here" in run("check", "--against", "no/where", "shop")[1]
    assert "give one of them" in run("check", "--against", "HEAD", "--update", "shop")[1]
