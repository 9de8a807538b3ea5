"""A Django shop with Celery, in one file: the web process that queues and the worker that runs."""

from __future__ import annotations

import os
from typing import Any

import django
from celery import Celery
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path

settings.configure(
    SECRET_KEY=os.environ["SHOP_SECRET"],
    SECRET_KEY_FALLBACKS=os.environ.get("SHOP_FALLBACKS", "").split(),
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "dd_pa_django",
    ],
    MIDDLEWARE=[
        "dd_pa_django.middleware.ProductAnalyticsMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DD_PA={"ACCOUNT_ID": f"{__name__}.account_of", "CONSENT": f"{__name__}.consents"},
)
django.setup()

from dd_pa.jobs.celery import connect_celery  # noqa: E402 - as in a project, where Celery is set up before
from dd_pa_django import find_emitter, track  # noqa: E402

app: Any = Celery("shop", broker=os.environ["WORKER_BROKER"])
app.conf.update(
    task_default_queue=os.environ["WORKER_QUEUE"], task_ignore_result=True, broker_connection_retry_on_startup=True
)
connect_celery(app, find_emitter)


def account_of(request: HttpRequest) -> str:
    return "acme"


def consents(request: HttpRequest) -> bool:
    return "refuses" not in request.GET


def _ship(marker: str) -> None:
    """Track an event for whoever ordered."""
    track("order.shipped", {"marker": marker})


ship: Any = app.task(_ship, name="shop.ship")


def order(request: HttpRequest) -> HttpResponse:
    ship.delay(request.GET["marker"])
    return HttpResponse("Thank you!")


urlpatterns = [path("order", order)]
