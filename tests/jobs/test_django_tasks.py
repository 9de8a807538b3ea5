"""Identity with Django's own tasks: `django_tasks`, its database backend and its worker."""

from __future__ import annotations

import time

import pytest

from dd_pa import Identity
from tests.jobs.conftest import StartWorker
from tests.jobs.journey import NOBODY, Runs, who

SESSION = "2b1b778e-9ef6-45d6-89b8-e68ca6ceb436"
SHOPPER = Identity(usr="12345", account="acme", session=SESSION)
TASKS = ("ran", "with_context", "ran_async", "private", "now", "plain")
VISIT = """
import asyncio, sys
import tests.jobs.django_tasks_shop as shop
from django.contrib.auth.models import User
from django.test import AsyncClient, Client
from dd_pa_django import get_emitter
from django_tasks_db.models import DBTaskResult
client = Client()
client.force_login(User.objects.create(pk=12345, username="ada@example.com", email="ada@example.com"))
headers = {"Cookie": "sessionid=" + client.cookies["sessionid"].value + "; " + sys.argv[1]}  # the last gets a comma
for name in sys.argv[2:]:
    assert client.get(f"/enqueue?task={name}&marker={name}", headers=headers).status_code == 200
assert asyncio.run(AsyncClient().get("/async?marker=async", headers=headers)).status_code == 200
shop.ran.enqueue("outside")
forged = DBTaskResult.objects.get(args_kwargs__args__0="ran").args_kwargs
shop.ran.enqueue("forged", **forged["kwargs"])
assert get_emitter().flush(60)
print(DBTaskResult.objects.filter(args_kwargs__icontains="ada@").count(), "hold an e-mail")
"""


@pytest.fixture(scope="module")
def runs(start_worker: StartWorker, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """What a worker made of the tasks that a visit queued."""
    env = {"SHOP_DATABASE": str(tmp_path_factory.mktemp("shop") / "db.sqlite3")}
    shop = ("-m", "tests.jobs.django_tasks_shop")
    _, migration = start_worker(*shop, "migrate", **env)
    assert migration.wait() == 0, migration.output
    moment = int(time.time() * 1000)
    cookie = f"_dd_s_v2=id={SESSION}&created={moment - 1000}&expire={moment + 900_000}&c=0"
    _, visit = start_worker("-c", VISIT, cookie, *TASKS, **env)
    assert visit.wait() == 0, visit.output
    assert "0 hold an e-mail" in visit.output
    found, _ = start_worker("-c", WORK, **env)
    return found


WORK = """
from django.core.management import call_command
import tests.jobs.django_tasks_shop
call_command("db_worker", "--batch", "--interval", "0.1", "--no-startup-delay")
"""


@pytest.mark.parametrize("name", ["ran", "with_context", "ran_async", "now", "async"])
def test_a_task_is_for_whoever_queued_it(runs: Runs, name: str) -> None:
    """With a context, async, of an async view, at once: the login, the account and the browser session."""
    assert who(runs.wait(name)[0]) == SHOPPER


def test_the_function_gets_its_own_arguments(runs: Runs) -> None:
    """And none of ours."""
    [run] = runs.wait("ran")

    assert (run["rest"], run["more"]) == ([1, [2, {"3": "three"}]], {"total": 4.5})


@pytest.mark.parametrize("name", ["private", "outside", "forged"])
def test_for_nobody(runs: Runs, name: str) -> None:
    """A task that is left alone, one that nobody queued, and one with the header of other arguments."""
    assert [who(run) for run in runs.wait(name)] == [NOBODY]


def test_tasks_of_other_backends(runs: Runs) -> None:
    """Run as they did: at once in the request, and on our backend with no argument that they do not know."""
    assert [who(run) for run in runs.wait("plain", 2)] == [SHOPPER, NOBODY]


def test_a_backend_must_be_named() -> None:
    """The error says where."""
    from django.core.exceptions import ImproperlyConfigured  # noqa: PLC0415 - Django is not set up in this process

    from dd_pa_django.tasks import identity_backend  # noqa: PLC0415

    with pytest.raises(ImproperlyConfigured, match=r"TASKS\['default'\]\['OPTIONS'\]\['BACKEND'\]: must be the dotted"):
        identity_backend("default", {"BACKEND": "dd_pa_django.tasks.identity_backend"})
