"""A Django shop with Django's own tasks, in one file: the web process that queues and the worker that runs."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import django
from django.conf import settings
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.urls import path

TASKS = "django_tasks" if django.VERSION < (6, 0) else "django.tasks"
BACKEND = "dd_pa_django.tasks.identity_backend"
settings.configure(
    SECRET_KEY="of-the-shop",
    USE_TZ=True,
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["SHOP_DATABASE"]}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        *(["django_tasks"] if django.VERSION < (6, 0) else []),
        "django_tasks_db",
        "dd_pa_django",
    ],
    MIDDLEWARE=[
        "dd_pa_django.middleware.ProductAnalyticsMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    TASKS={
        "default": {"BACKEND": BACKEND, "OPTIONS": {"BACKEND": "django_tasks_db.DatabaseBackend"}},
        "now": {"BACKEND": BACKEND, "OPTIONS": {"BACKEND": f"{TASKS}.backends.immediate.ImmediateBackend"}},
        "plain": {"BACKEND": f"{TASKS}.backends.immediate.ImmediateBackend"},
    },
    DD_PA={"ACCOUNT_ID": f"{__name__}.account_of"},
)
django.setup()

if TYPE_CHECKING or django.VERSION < (6, 0):
    from django_tasks import TaskContext, task
else:
    from django.tasks import TaskContext, task

from django.contrib.auth.models import User  # noqa: E402 - models need django.setup()

from dd_pa_django import track  # noqa: E402


def account_of(request: HttpRequest) -> str | None:
    """Ask the database, as most projects do."""
    return "acme" if User.objects.filter(username=request.user.get_username()).exists() else None


def run(marker: str, *rest: object, **more: object) -> None:
    """Track an event for whoever queued this."""
    found: dict[str, Any] = {"marker": marker, "rest": list(rest), "more": more}
    if track("job.ran", found) is None:
        track("job.ran", found, usr="nobody")


def left_alone(function: Any) -> Any:
    function.dd_pa_identity = False
    return function


@task
def ran(marker: str, *rest: object, **more: object) -> None:
    run(marker, *rest, **more)


@task(takes_context=True)
def with_context(context: TaskContext, marker: str) -> None:
    run(marker)


@task
async def ran_async(marker: str) -> None:
    run(marker)


@task
@left_alone
def private(marker: str) -> None:
    run(marker)


@task(backend="now")
def now(marker: str) -> None:
    run(marker)


@task(backend="plain")
def plain(marker: str) -> None:
    run(marker)


async def enqueue_async(request: HttpRequest) -> HttpResponse:
    await ran.aenqueue(request.GET["marker"])
    return HttpResponse("Thank you!")


def enqueue(request: HttpRequest) -> HttpResponse:
    marker = request.GET["marker"]
    match request.GET["task"]:
        case "ran":
            ran.enqueue(marker, 1, (2, {3: "three"}), total=4.5)
        case "plain":
            plain.enqueue(marker)
            plain.using(backend="default").enqueue(marker)
        case other:
            globals()[other].enqueue(marker)
    return HttpResponse("Thank you!")


urlpatterns = [path("enqueue", enqueue), path("async", enqueue_async)]

if __name__ == "__main__":
    call_command(*sys.argv[1:])
