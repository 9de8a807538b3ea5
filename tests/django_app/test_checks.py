from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import override_settings

from dd_pa.emulator import Emulator
from dd_pa_django import track
from dd_pa_django.checks import check_deployment, check_managers, check_tenants, check_user_fields, check_user_key
from dd_pa_django.middleware import ProductAnalyticsMiddleware
from dd_pa_django.models import OutboxEvent
from tests.django_app.conftest import Configure
from tests.django_app.orders.models import Article, Coupon, Order

ROOT = Path(__file__).parents[2]
MIDDLEWARE = "dd_pa_django.middleware.ProductAnalyticsMiddleware"


class Derived(ProductAnalyticsMiddleware):
    """A team's own."""


def found(*, deploy: bool = False) -> set[str]:
    messages = run_checks(include_deployment_checks=deploy)
    of_test_models = {"dd_pa.W010"}
    return {str(message.id) for message in messages if str(message.id).startswith("dd_pa.")} - of_test_models


def run(name: str, *arguments: str) -> str:
    output = StringIO()
    call_command(name, *arguments, stdout=output)
    return output.getvalue()


def test_a_usual_site_passes() -> None:
    assert found() == set()


@pytest.mark.parametrize(
    ("middleware", "expected"),
    [
        pytest.param([], {"dd_pa.W002"}, id="missing"),
        pytest.param([MIDDLEWARE, MIDDLEWARE], {"dd_pa.E002"}, id="twice"),
        pytest.param([f"{__name__}.Derived"], set(), id="a subclass"),
        pytest.param([f"{__name__}.Derived", MIDDLEWARE], {"dd_pa.E002"}, id="a subclass too"),
        pytest.param(["no.such.middleware", MIDDLEWARE], set(), id="one that is Django's concern"),
    ],
)
def test_the_middleware_is_looked_for(middleware: list[str], expected: set[str]) -> None:
    with override_settings(MIDDLEWARE=middleware):
        assert found() == expected


def test_a_key_that_is_an_e_mail(configure: Configure) -> None:
    """It would be each event's `usr.id`; USER_ID names another."""
    with override_settings(AUTH_USER_MODEL="django_app.Mailbox"):
        assert [message.id for message in check_user_key()] == ["dd_pa.W003"]
        configure(USER_ID=str)
        assert check_user_key() == []


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        pytest.param(("django.contrib.auth", "django.contrib.sessions"), ["dd_pa.W012"], id="users of each tenant"),
        pytest.param(["django.contrib.auth.apps.AuthConfig"], ["dd_pa.W012"], id="named by its configuration"),
        pytest.param(("django.contrib.sessions", "not.installed"), [], id="users of all"),
    ],
)
def test_users_of_tenants(configure: Configure, own: Any, expected: list[str]) -> None:
    """User 1 of one tenant and user 1 of another are two people, as django-tenants keeps them in two schemas."""
    with override_settings(TENANT_APPS=own):
        assert [message.id for message in check_tenants()] == expected

        configure(USER_ID=str)
        assert check_tenants() == []


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        pytest.param(("username", "is_staff", "is_authenticated", "pk"), None, id="fields and properties"),
        pytest.param(("plan",), "which users do not have", id="missing"),
        pytest.param(("groups",), "which is another row", id="relation"),
        pytest.param(("get_full_name",), "which is a method", id="method"),
    ],
)
@pytest.mark.parametrize("setting", ["USER_ATTRIBUTES", "ACCOUNT_ATTRIBUTES"])
def test_names_of_fields(configure: Configure, setting: str, names: Any, problem: str | None) -> None:
    """They are looked for at the start, rather than at the first event; a callable is not."""
    configure(**{setting: names})
    expected = (
        [] if problem is None else [f"DD_PA['{setting}'] names {names[0]!r}, {problem}; an event would go without it."]
    )
    assert [message.msg for message in check_user_fields()] == expected

    configure(**{setting: str})
    assert check_user_fields() == []


def test_what_is_right_on_a_laptop_only(configure: Configure) -> None:
    """`check --deploy` says it."""
    configure(SPOOL_DIR=None)
    assert found(deploy=True) == {"dd_pa.W004", "dd_pa.W005", "dd_pa.W006"}
    configure(SPOOL_DIR="/var/lib/shop/spool", STRICT=False, INTAKE_URL=None, OUTBOX=True)
    assert found(deploy=True) == {"dd_pa.W008"}
    configure(SPOOL_DIR="/var/lib/shop/spool", STRICT=False, INTAKE_URL=None)
    assert found(deploy=True) == set()


@pytest.mark.parametrize(
    ("setting", "home", "expected"),
    [
        pytest.param("/tmp/spool", "/var/lib/shop", {"dd_pa.W007"}, id="in /tmp"),  # noqa: S108
        pytest.param("/tmp", "/var/lib/shop", {"dd_pa.W007"}, id="/tmp itself"),  # noqa: S108
        pytest.param("/temporary/spool", "/var/lib/shop", set(), id="a name like it"),
        pytest.param("auto", "/var/lib/shop", set(), id="auto, whatever the current directory"),
        pytest.param("auto", "/dev/shm/shop", {"dd_pa.W007"}, id="auto, in memory"),  # noqa: S108
    ],
)
def test_a_spool_that_restarts_empty(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, setting: str, home: str, expected: set[str]
) -> None:
    """Where the spool really lies counts, not where the check runs."""
    monkeypatch.setenv("XDG_STATE_HOME", home)
    monkeypatch.chdir("/tmp")  # noqa: S108
    configure(SPOOL_DIR=setting, STRICT=False, INTAKE_URL=None)

    assert found(deploy=True) == expected


def hints() -> dict[str, str]:
    return {str(message.id): str(message.hint) for message in check_deployment()}


def test_hints_name_what_was_written(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to be changed is where it is: in DD_PA or in the environment."""
    configure(STRICT=True)
    assert hints()["dd_pa.W005"].startswith("Leave DD_PA['STRICT'] out")
    configure(STRICT=None)
    monkeypatch.setenv("DD_PA_STRICT", "1")
    assert hints()["dd_pa.W005"].startswith("Leave DD_PA_STRICT out")
    monkeypatch.delenv("DD_PA_STRICT")
    with override_settings(DEBUG=True):  # Django's own security.W018 says what is to be done first
        assert "dd_pa.W005" not in hints()


def test_models_with_a_plain_manager() -> None:
    """Those that follow fields: their `update()` would tell nothing."""
    warned = {message.obj for message in check_managers()}

    assert Article in warned
    assert not warned & {Order, Coupon}


def test_docs_list_the_checks() -> None:
    """All of them, and no others; the numbers have no holes."""
    listed = re.findall(r"^\| `dd_pa\.(\w+)`", (ROOT / "docs/django.md").read_text(), re.M)
    made = re.findall(r'id="dd_pa\.(\w+)"', (ROOT / "dd_pa_django/checks.py").read_text())
    numbers = {kind: sorted(int(name[1:]) for name in made if name[0] == kind) for kind in "EW"}

    assert sorted(listed) == sorted(made)
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values()), numbers


def test_doctor_reports_checks_and_the_intake(emulator: Emulator, configure: Configure, tmp_path: Path) -> None:
    """Warnings do not fail it."""
    configure(SPOOL_DIR=str(tmp_path / "spool"), STRICT=False)
    output = run("dd_pa_doctor")

    assert "dd_pa.W004" in output
    assert "takes the key" in output
    assert emulator.events == []


def test_doctor_fails_where_events_do_not_arrive(configure: Configure) -> None:
    """At the first thing: without settings nothing else can be looked at."""
    configure(INTAKE_URL="http://127.0.0.1:9", SPOOL_DIR=None)
    with pytest.raises(CommandError, match="keeps events from arriving"):
        run("dd_pa_doctor")
    configure(SIET="datadoghq.eu")
    with pytest.raises(CommandError, match="keeps events from arriving"):
        run("dd_pa_doctor")


@pytest.fixture
def _of_outbox(configure: Configure, emulator: Emulator) -> None:
    configure(OUTBOX=True, SPOOL_DIR=None)


@pytest.mark.usefixtures("_of_outbox")
def test_doctor_looks_into_each_outbox() -> None:
    """One that is delivered from is fine; what was rejected is worth a look."""
    track("order.placed", usr="u-1", using="other")
    OutboxEvent.objects.create(event_id="1", name="a", occurred_at=1, body=b"{}", state="rejected", rejected_at=1)
    output = run("dd_pa_doctor")

    assert "database 'default': 0 wait, 0 on their way" in output
    assert "database 'other': 1 wait, 0 on their way" in output
    assert "1 rejected events in the outbox, database 'default'" in output


@pytest.mark.usefixtures("_of_outbox")
@pytest.mark.parametrize("claimed_until", [0, 2**50], ids=["nobody takes it", "somebody holds it"])
def test_doctor_fails_on_a_stuck_row(claimed_until: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever may have claimed it."""
    OutboxEvent.objects.create(event_id="1", name="a", occurred_at=1, body=b"{}", claimed_until=claimed_until)
    with pytest.raises(CommandError, match="keeps events from arriving"):
        call_command("dd_pa_doctor")

    said = capsys.readouterr().out
    assert re.search(r"✗ outbox +database 'default': an event waits since [\d,]+ min", said)
    assert "manage.py dd_pa_deliver runs" in said


@pytest.mark.usefixtures("_of_outbox")
@pytest.mark.parametrize(("alias", "fails"), [("default", True), ("other", False)])
def test_doctor_tells_of_a_missing_table(alias: str, fails: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Without that of the routers' database nothing is stored; any other is missed by its own transactions only."""
    with without_outbox(alias):
        try:
            call_command("dd_pa_doctor")
            failed = False
        except CommandError:
            failed = True

    assert failed is fails
    assert f"database '{alias}': there is no table" in capsys.readouterr().out


@contextmanager
def without_outbox(alias: str) -> Iterator[None]:
    with connections[alias].schema_editor() as editor:
        editor.delete_model(OutboxEvent)
    try:
        yield
    finally:
        with connections[alias].schema_editor() as editor:
            editor.create_model(OutboxEvent)


def test_send(emulator: Emulator) -> None:
    output = run("dd_pa_send", "plan.upgraded", '{"plan": "pro"}', "--usr", "u-1")

    [event] = emulator.events
    assert (event["event"]["name"], event["usr"], event["plan"]) == ("plan.upgraded", {"id": "u-1"}, "pro")
    assert event["dd_pa"]["event_id"] in output


def test_send_fails_with_the_intakes_words(emulator: Emulator) -> None:
    emulator.fail(status=400)
    with pytest.raises(CommandError, match="400"):
        run("dd_pa_send")


def test_stats(configure: Configure, tmp_path: Path) -> None:
    """For people, and as JSON."""
    configure(SPOOL_DIR=str(tmp_path / "spool"))

    assert "0 rejected events" in run("dd_pa_stats")
    assert json.loads(run("dd_pa_stats", "--json")) == {
        "spool": True,
        "bytes": 0,
        "segments": 0,
        "oldest_pending_age": None,
        "rejected": 0,
        "deliver_runs": False,
        "outbox": None,
    }
    configure(SPOOL_DIR=None, OUTBOX=True)
    track("order.placed", usr="u-1")
    assert json.loads(run("dd_pa_stats", "--json")) == {
        "spool": False,
        "outbox": {"waiting": 1, "claimed": 0, "rejected": 0, "oldest_pending_age": pytest.approx(0, abs=30)},
    }
    assert "outbox: 1 wait" in run("dd_pa_stats")


def test_doctor_fails_where_the_key_is_missing(configure: Configure) -> None:
    """`manage.py check` only warns of it, so that `migrate` runs; but no event arrives."""
    configure(API_KEY=None)
    for command in ("dd_pa_doctor", "dd_pa_send", "dd_pa_stats"):
        with pytest.raises(CommandError):
            run(command)


def test_doctor_says_nothing_of_production_on_a_laptop(
    configure: Configure, tmp_path: Path, emulator: Emulator
) -> None:
    """With DEBUG on, the intake is the emulator and a bad event raises: that is as it should be."""
    configure(SPOOL_DIR=str(tmp_path / "spool"))
    with override_settings(DEBUG=True):
        said = run("dd_pa_doctor")
    assert [name for name in ("W004", "W005", "W006", "W007", "W008") if f"dd_pa.{name}" in said] == []
