"""A Django project whose own tests look at its events, under each runner that it may have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SETTINGS = """
from pathlib import Path
SECRET_KEY = "x"
USE_TZ = True
ROOT_URLCONF = "shop.urls"
ALLOWED_HOSTS = ["testserver"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.contenttypes", "dd_pa_django", "shop"]
MIDDLEWARE = ["dd_pa_django.middleware.ProductAnalyticsMiddleware"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3", "NAME": "db", "TEST": {"NAME": Path(__file__).with_name("test.db")}
    }
}
DD_PA = {"APPLICATION_ID": "a", "API_KEY": "0123456789abcdef0123456789abcdef"}
"""
MODELS = """
from django.db import models

from dd_pa_django import track_model

class Order(models.Model):
    total = models.IntegerField()

@track_model(created="note.written", updated={"text": "note.changed"}, deleted="note.deleted")
class Note(models.Model):
    text = models.TextField()
"""
MIGRATION = """
from django.db import migrations, models

class Migration(migrations.Migration):
    operations = [
        migrations.CreateModel(
            name="Order", fields=[("id", models.BigAutoField(primary_key=True)), ("total", models.IntegerField())]
        ),
        migrations.CreateModel(
            name="Note", fields=[("id", models.BigAutoField(primary_key=True)), ("text", models.TextField())]
        ),
    ]
"""
URLS = """
from django.db import transaction
from django.http import HttpResponse
from django.urls import path

from dd_pa_django import atrack, track, tracked
from shop.models import Order

class Failure(Exception):
    pass

def place(total, fail=False):
    with transaction.atomic():
        Order.objects.create(total=total)
        track("order.placed", {"order": {"total": total}}, usr=1)
        if fail:
            raise Failure

@tracked("page.viewed", attributes={"page": "checkout"})
def checkout(request):
    place(42)
    return HttpResponse()

async def later(request):
    await atrack("order.queued", usr=1)
    return HttpResponse()

urlpatterns = [path("checkout", checkout), path("later", later)]
"""
TESTS = """
import threading

from django.db import transaction
from django.conf import settings
from django.test import AsyncClient, TestCase, TransactionTestCase, override_settings

from dd_pa import identify
from dd_pa.testing import EventAssertions, capture_events
from dd_pa_django import get_emitter, track
from dd_pa_django.models import OutboxEvent
from shop.models import Note
from shop.urls import Failure, place


class Common(EventAssertions):
    def test_committed(self):
        place(42)
        self.assertTracked("order.placed", {"order": {"total": 42}}, usr=1, count=1)

    def test_rolled_back(self):
        with self.assertRaises(Failure):
            place(42, fail=True)
        self.assertNothingTracked()

    def test_savepoint(self):
        with transaction.atomic():
            place(1)
            with self.assertRaises(Failure):
                place(2, fail=True)
            place(3)
            self.assertNothingTracked()  # the block may fail yet
        assert [event.attributes["order"]["total"] for event in self.dd_pa_events] == [1, 3]

    def test_outer_block_fails(self):
        with self.assertRaises(Failure), transaction.atomic():
            place(1)
            raise Failure
        self.assertNothingTracked()

    def test_open_block_beside_a_closed_one(self):
        place(1)
        with transaction.atomic():
            place(2)
            self.assertTracked("order.placed", count=1)
        self.assertTracked("order.placed", count=2)

    def test_at_once(self):
        with self.assertRaises(Failure), transaction.atomic():
            track("payment.failed", usr=1, on_commit=False)
            raise Failure
        self.assertTracked("payment.failed")

    def test_order(self):
        with transaction.atomic():
            track("first.tracked", usr=1)
            track("second.tracked", usr=1, on_commit=False)
        assert self.dd_pa_events.names == ["first.tracked", "second.tracked"]

    def test_request(self):
        session = "2b1b778e-9ef6-45d6-89b8-e68ca6ceb436"
        with identify(usr=7):  # whoever this block is for, the request is its browser's
            self.client.get("/checkout", headers={"baggage": f"session.id={session}"})
        self.dd_pa_events.assert_order("order.placed", "page.viewed")
        self.assertTracked("page.viewed", {"page": "checkout"}, session=session, exact=True)

    async def test_async_request(self):
        await AsyncClient().get("/later")
        self.assertTracked("order.queued", count=1)

    def test_unlinked(self):
        self.client.get("/checkout")
        with self.assertRaisesRegex(AssertionError, r"not kept: page.viewed \\(unlinked\\)"):
            self.assertTracked("page.viewed")

    def test_model_events(self):
        with identify(usr=1):
            with self.assertRaises(Failure), transaction.atomic():
                Note.objects.create(text="never")
                raise Failure
            note = Note.objects.create(text="a")
            note.text = "b"
            note.save()
            note.delete()
        assert self.dd_pa_events.names == ["note.written", "note.changed", "note.deleted"]

    def test_outbox(self):
        with override_settings(DD_PA={**settings.DD_PA, "OUTBOX": True}):
            place(42)
            with self.assertRaises(Failure):
                place(43, fail=True)
            self.assertTracked("order.placed", {"order": {"total": 42}}, count=1)
        assert self.dd_pa_events.names == ["order.placed"]
        assert not OutboxEvent.objects.exists()

    def test_block_in_the_middle(self):
        place(1)
        with capture_events() as events:
            place(2)
        place(3)
        assert [event.attributes["order"]["total"] for event in events] == [2]
        self.assertTracked("order.placed", count=3)

    def tearDown(self):
        assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("dd-pa")]
        assert set(get_emitter().stats().dropped) <= {"unlinked", "test_run"}
        super().tearDown()


class InTestCase(Common, TestCase):
    @classmethod
    def setUpTestData(cls):
        place(0)  # before the test: not among its events

    def test_callbacks_run(self):
        with self.captureOnCommitCallbacks(execute=True):
            place(42)
        self.assertTracked("order.placed", count=1)


class InTransactionTestCase(Common, TransactionTestCase):
    pass
"""
PYTEST = """
import pytest
from django.db import transaction
from shop.urls import Failure, place

marks = [pytest.param(0, marks=pytest.mark.django_db, id="rolled-back"),
         pytest.param(1, marks=pytest.mark.django_db(transaction=True), id="transaction")]

@pytest.mark.parametrize("_kind", marks)
@pytest.mark.parametrize("total", range(4))
def test_committed(_kind, total, dd_pa_events, client):
    client.get("/checkout")
    place(total)
    with pytest.raises(Failure):
        place(7, fail=True)
    dd_pa_events.assert_tracked("order.placed", {"order": {"total": total}}, count=1)
    assert dd_pa_events.names == ["order.placed"] * 2

@pytest.mark.parametrize("_kind", marks)
def test_fixture_order(dd_pa_events, _kind):
    dd_pa_events.assert_nothing_tracked()
    with transaction.atomic():
        place(1)
        dd_pa_events.assert_nothing_tracked()
    dd_pa_events.assert_tracked("order.placed", count=1)
"""
FILES = {
    "settings.py": SETTINGS,
    "manage.py": "import sys\nfrom django.core.management import execute_from_command_line as run\nrun(sys.argv)\n",
    "shop/__init__.py": "",
    "shop/models.py": MODELS,
    "shop/migrations/__init__.py": "",
    "shop/migrations/0001_initial.py": MIGRATION,
    "shop/urls.py": URLS,
    "shop/tests.py": TESTS,
    "test_with_pytest.py": PYTEST,
}
PLUGINS = ("no:cacheprovider", "xdist.plugin", "pytest_django.plugin", "dd_pa_pytest.plugin")
PYTEST_DJANGO = ["-m", "pytest", "-q", "-W", "error", *(part for name in PLUGINS for part in ("-p", name))]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "passed"),
    [
        pytest.param(["-W", "error", "manage.py", "test"], "Ran 27 tests", id="manage.py-test"),
        pytest.param(["manage.py", "test", "--parallel", "2"], "Ran 27 tests", id="parallel"),
        pytest.param([*PYTEST_DJANGO, "-n", "2", "shop/tests.py", "test_with_pytest.py"], "37 passed", id="xdist"),
    ],
)
def test_its_tests_pass(project: Path, command: list[str], passed: str) -> None:
    """What committed is tracked and what was rolled back is not, though nothing commits under `TestCase`."""
    ran = subprocess.run(
        [sys.executable, *command],
        cwd=project,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(project),
            "DJANGO_SETTINGS_MODULE": "settings",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # all of ours would take most of the time
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    said = ran.stdout + ran.stderr
    assert ran.returncode == 0, said
    assert passed in said
