"""The shop in Django: each request renders a page, and fires one event (or none)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.urls import path

from benchmarks import sdks
from benchmarks.web import kinds
from benchmarks.web.flask_shop import PRAGMAS

PAGE = """<!doctype html><title>{{ title }}</title><table>
{% for item in items %}<tr class="{% cycle 'odd' 'even' %}"><td>{{ item.name }}<td>{{ item.price }}</tr>
{% endfor %}</table>"""

urlpatterns: list[Any] = []


def create_app() -> Callable[..., Any]:
    kind, place = kinds.kind(), kinds.place()
    ours = kind.startswith("dd-pa")
    options = {"timeout": 30, "transaction_mode": "IMMEDIATE", "init_command": PRAGMAS}
    name = f"{place.directory}/shop.sqlite"
    settings.configure(
        ALLOWED_HOSTS=["*"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "OPTIONS": options}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            *(["dd_pa_django"] if ours else []),
        ],
        MIDDLEWARE=[
            *(["dd_pa_django.middleware.ProductAnalyticsMiddleware"] if ours else []),
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        ROOT_URLCONF="benchmarks.web.django_shop",
        SECRET_KEY="bench",
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        USE_TZ=True,
        **({"DD_PA": kinds.settings() | ({"OUTBOX": True} if kind == kinds.OUTBOX else {})} if ours else {}),
    )
    django.setup()
    call_command("migrate", verbosity=0)
    page, work = Template(PAGE), _work(kind)

    def checkout(request: HttpRequest) -> HttpResponse:
        work()
        return HttpResponse(page.render(Context({"title": "Checkout", "items": kinds.ITEMS})))

    def plain(request: HttpRequest) -> HttpResponse:
        return HttpResponse(page.render(Context({"title": "Checkout", "items": kinds.ITEMS})))

    urlpatterns.extend([path("", checkout), path(kinds.PLAIN.removeprefix("/"), plain)])
    return get_wsgi_application()


def _work(kind: str) -> Callable[[], object]:
    """Return what a request does besides."""
    if kind == kinds.NONE:
        return lambda: None
    if kind in kinds.PEERS:
        sdk = sdks.PEERS[kind](kinds.place())
        return lambda: sdk.fire(sdk.attributes())
    from dd_pa_django import track

    if kind not in (kinds.ROW, kinds.OUTBOX):
        return lambda: track(sdks.NAME, dict(sdks.NESTED), **sdks.WHO)
    from django.db import connection, transaction

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE orders (id integer PRIMARY KEY, total integer)")

    def row() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("INSERT INTO orders (total) VALUES (1)")
            if kind == kinds.OUTBOX:
                track(sdks.NAME, dict(sdks.NESTED), **sdks.WHO)

    return row
