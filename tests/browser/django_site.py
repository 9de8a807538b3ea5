"""A Django site with the app, for a browser: `python -m tests.browser.django_site FD INTAKE OTHER DIRECTORY`."""

from __future__ import annotations

import sys
from typing import Any

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from werkzeug.serving import make_server

from tests.browser.pages import CLIENT_TOKEN, CONSENT_COOKIE, CORS, SDK_COOKIE, SDK_PATH, outside, page, sdk

USER = "41"


def has_agreed(request: HttpRequest) -> bool:
    return request.COOKIES.get(CONSENT_COOKIE) != "no"


def configure(intake: str, directory: str) -> None:
    settings.configure(
        SECRET_KEY="only-for-tests",
        DEBUG=False,
        ALLOWED_HOSTS=["127.0.0.1", "localhost"],
        ROOT_URLCONF="tests.browser.django_site",
        USE_TZ=True,
        STATIC_URL="/static/",
        SESSION_COOKIE_NAME="django_session",
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.staticfiles",
            "dd_pa_django",
        ],
        MIDDLEWARE=[
            "dd_pa_django.middleware.ProductAnalyticsMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{directory}/django.sqlite3"}},
        DD_PA={
            "APPLICATION_ID": "11111111-1111-4111-8111-111111111111",
            "API_KEY": "any",
            "INTAKE_URL": intake,
            "SERVICE": "django-site",
            "STRICT": True,
            "SPOOL_DIR": None,
            "CONSENT": has_agreed,
            "CLIENT_TOKEN": CLIENT_TOKEN,
            "RUM_SDK_URL": SDK_PATH,
            "RUM_OPTIONS": {"proxy": f"{intake}/rum", "allowedTracingUrls": ["http://127.0.0.1:"]},
        },
    )
    django.setup()


def open_page(request: HttpRequest) -> HttpResponse:
    from dd_pa_django import track  # noqa: PLC0415 - needs the settings
    from dd_pa_django.browser import rum_scripts  # noqa: PLC0415 - needs the settings

    name = request.GET["name"]
    track("page.opened", {"name": name}, account="site")
    return HttpResponse(page(rum_scripts(), name, request.META["OTHER_SITE"]))


def act(request: HttpRequest) -> HttpResponse:
    from dd_pa_django import track  # noqa: PLC0415 - needs the settings

    track("form.sent", {"name": request.GET["name"]}, account="site")
    return redirect("/page?name=after-form")


def api(request: HttpRequest) -> HttpResponse:
    from dd_pa_django import track  # noqa: PLC0415 - needs the settings

    if request.method == "POST":
        track("api.called", {"name": request.GET["name"]}, account="site")
    return HttpResponse("done", headers=CORS)


def sign_in(request: HttpRequest) -> HttpResponse:
    from django.contrib.auth import login  # noqa: PLC0415 - needs the settings
    from django.contrib.auth.models import User  # noqa: PLC0415 - needs the settings

    login(request, User.objects.get(pk=USER))
    return redirect("/page?name=signed-in")


def sign_out(request: HttpRequest) -> HttpResponse:
    from django.contrib.auth import logout  # noqa: PLC0415 - needs the settings

    logout(request)
    return redirect("/page?name=signed-out")


def elsewhere(request: HttpRequest) -> HttpResponse:
    return HttpResponse(outside(request.GET["to"]))


def browser_sdk(request: HttpRequest) -> HttpResponse:
    return HttpResponse(sdk(request.COOKIES[SDK_COOKIE]), content_type="text/javascript")


urlpatterns: list[Any] = [
    path("page", open_page),
    path("act", act),
    path("api/act", api),
    path("sign-in", sign_in),
    path("sign-out", sign_out),
    path("elsewhere", elsewhere),
    path(SDK_PATH[1:], browser_sdk),
]


def main(fd: str, intake: str, other: str, directory: str) -> None:
    configure(intake, directory)
    from django.contrib.auth.models import User  # noqa: PLC0415 - needs the settings
    from django.contrib.staticfiles.handlers import StaticFilesHandler  # noqa: PLC0415 - needs the settings
    from django.core.management import call_command  # noqa: PLC0415 - needs the settings
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415 - needs the settings

    call_command("migrate", verbosity=0)
    User.objects.create_user("ada", pk=USER)
    site = StaticFilesHandler(get_wsgi_application())

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        return site({**environ, "OTHER_SITE": other}, start_response)

    make_server("127.0.0.1", 0, application, threaded=True, fd=int(fd)).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
