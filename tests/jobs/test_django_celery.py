from __future__ import annotations

import time

from dd_pa import Identity
from tests.jobs.brokers import fresh_name, require_redis
from tests.jobs.conftest import StartWorker
from tests.jobs.journey import who

SESSION = "2b1b778e-9ef6-45d6-89b8-e68ca6ceb436"
VISIT = """
import sys
from tests.jobs.django_shop import app
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
client = Client()
client.force_login(User.objects.create(pk=12345, username="ada@example.com", email="ada@example.com"))
cookie = sys.argv[1] + "; sessionid=" + client.cookies["sessionid"].value
for query in sys.argv[2:]:
    answer = client.get("/order?" + query, headers={"Cookie": cookie})
    assert answer.status_code == 200 and not answer.has_header("Vary"), answer.headers
"""


def cookie() -> str:
    now = int(time.time() * 1000)
    return f"_dd_s_v2=id={SESSION}&created={now - 1000}&expire={now + 900_000}&c=0"


def test_a_job_of_a_django_request(start_worker: StartWorker) -> None:
    """It is for the request's login, account and browser session; signed with SECRET_KEY, or a former one.

    Of a person who refuses, nothing arrives; that job was queued before the others.
    """
    names = {"WORKER_BROKER": f"redis://{require_redis()}/9", "WORKER_QUEUE": fresh_name()}
    options = ("--pool", "prefork", "--concurrency", "1", "--without-gossip", "--without-mingle")
    runs, worker = start_worker(
        *("-m", "celery", "-A", "tests.jobs.django_shop", "worker", "-l", "INFO", *options),
        SHOP_SECRET="new",
        SHOP_FALLBACKS="old older",
        **names,
    )
    worker.wait_for("ready.")
    for secret in ("old", "new"):
        _, visit = start_worker(
            *("-c", VISIT, cookie(), f"marker={secret}-no&refuses", f"marker={secret}"), SHOP_SECRET=secret, **names
        )
        assert visit.wait() == 0, visit.output

    expected = Identity(usr="12345", account="acme", session=SESSION)
    assert [who(runs.wait(secret)[0]) for secret in ("old", "new")] == [expected] * 2
    assert [runs.all(f"{secret}-no") for secret in ("old", "new")] == [[], []]
