"""Staff who act as somebody else, by the packages for it: events name him, and nothing of the staff's browser."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib import admin
from django.contrib.auth import get_user_model, logout
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest, HttpResponse
from django.template import RequestContext, Template
from django.test import AsyncClient, Client, modify_settings, override_settings
from django.urls import include, path
from hijack.signals import hijack_started

from dd_pa_django import atrack, get_emitter, track
from dd_pa_django.identity import identity_of
from dd_pa_django.websocket import OpenedRequest
from tests.django_app.conftest import Configure, Events
from tests.page_scripts import setup_in

SESSION = "3122841d-f7d1-4b2f-9e0d-fbbfd8507279"
VISITOR = "59cf2df2-579e-4935-ab25-357d54822ec2"
AUTH = "django.contrib.auth.middleware.AuthenticationMiddleware"


def act(request: HttpRequest) -> HttpResponse:
    track("order.placed")
    track("order.placed", usr=request.user.pk)
    return HttpResponse(request.user.get_username())


def act_unseen(request: HttpRequest) -> HttpResponse:
    """Name the user before anybody has looked at him."""
    track("order.placed", usr=request.GET["usr"], account="acme")
    return HttpResponse()


async def act_async(request: HttpRequest) -> HttpResponse:
    await atrack("order.placed")
    seen = await sync_to_async(name_of)(request)
    await atrack("order.placed")
    return HttpResponse(seen)


def name_of(request: HttpRequest) -> str:
    return str(request.user.get_username())


def leave(request: HttpRequest) -> HttpResponse:
    logout(request)
    return HttpResponse()


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(Template("{% load dd_pa %}{% dd_pa_rum %}").render(RequestContext(request)))


urlpatterns = [
    path("act/", act),
    path("act_unseen/", act_unseen),
    path("act_async/", act_async),
    path("page/", page),
    path("leave/", leave),
]


class Hijack:
    """django-hijack: the staff are logged in as somebody else."""

    app, middleware = "hijack", "hijack.middleware.HijackUserMiddleware"
    backends: tuple[str, ...] = ("django.contrib.auth.backends.ModelBackend",)

    def urls(self) -> list[Any]:
        """Return where the package is; not before it is installed, as it may have models."""
        return [path(f"{self.app}/", include(f"{self.app}.urls"))]

    def begin(self, client: Client, user: User) -> None:
        assert client.post("/hijack/acquire/", {"user_pk": user.pk}, headers=browser(client)).status_code == 302

    def end(self, client: Client) -> None:
        assert client.post("/hijack/release/", headers=browser(client)).status_code == 302


class HijackUnmarked(Hijack):
    """The same where its middleware is missing, as inside of a websocket."""

    middleware = ""


class Impersonate(Hijack):
    """django-impersonate: a middleware puts somebody else on the request."""

    app, middleware = "impersonate", "impersonate.middleware.ImpersonateMiddleware"

    def begin(self, client: Client, user: User) -> None:
        assert client.get(f"/impersonate/{user.pk}/", headers=browser(client)).status_code == 302

    def end(self, client: Client) -> None:
        assert client.get("/impersonate/stop/", headers=browser(client)).status_code == 302


class LoginAs(Hijack):
    """django-loginas: as django-hijack, without a middleware."""

    app, middleware = "loginas", ""

    def begin(self, client: Client, user: User) -> None:
        assert client.post(f"/loginas/login/user/{user.pk}/", headers=browser(client)).status_code == 302

    def end(self, client: Client) -> None:
        assert client.get("/loginas/logout/", headers=browser(client)).status_code == 302


class Su(Hijack):
    """django-su: as django-hijack, and the session alone says so."""

    app, middleware = "django_su", ""
    backends = (*Hijack.backends, "django_su.backends.SuBackend")

    def begin(self, client: Client, user: User) -> None:
        assert client.post(f"/django_su/{user.pk}/", headers=browser(client)).status_code == 302

    def end(self, client: Client) -> None:
        assert client.get("/django_su/", headers=browser(client)).status_code == 302


def browser(client: Client | AsyncClient) -> dict[str, str]:
    """Return what the staff's browser sends: its session of the application, and that of the SDK."""
    now = time.time_ns() // 1_000_000
    login = f"sessionid={client.cookies['sessionid'].value}; " if "sessionid" in client.cookies else ""
    return {"cookie": f"{login}_dd_s_v2=id={SESSION}&aid={VISITOR}&created={now}&expire={now + 600_000}"}


@pytest.fixture(params=[Hijack, HijackUnmarked, Impersonate, LoginAs, Su])
def package(request: pytest.FixtureRequest) -> Iterator[Any]:
    package = request.param()
    apps = modify_settings(INSTALLED_APPS={"append": package.app})
    chain = modify_settings(MIDDLEWARE={"append": package.middleware} if package.middleware else {})
    registered = dict(admin.site._registry)
    ContentType.objects.clear_cache()  # tests empty the tables; django-loginas writes into the admin's log
    options: dict[str, Any] = {"IMPERSONATE": {"DISABLE_LOGGING": True}, "LOGIN_REDIRECT_URL": "/act/"}
    options["AUTHENTICATION_BACKENDS"] = package.backends
    with apps, chain, override_settings(ROOT_URLCONF=(*urlpatterns, *package.urls()), **options):
        yield package
    for model in set(admin.site._registry) - set(registered):  # by apps that are not installed any more
        admin.site.unregister(model)


@pytest.fixture
def staff(client: Client) -> User:
    """Somebody who may do so, and is signed in."""
    user: User = get_user_model().objects.create_superuser("staff")
    client.force_login(user)
    return user


def people(events: list[dict[str, Any]]) -> list[Any]:
    return [(event["usr"], event.get("session")) for event in events]


def test_events_are_of_whom_staff_act_as(
    package: Any, client: Client, staff: User, ada: User, events: Events, configure: Configure
) -> None:
    """Meanwhile they have no browser session and no visitor; before and after, the staff have their own."""
    configure(ANONYMOUS_ID=True, SESSION_FALLBACK=True, USER_ATTRIBUTES=("username",))

    client.get("/act/", headers=browser(client))
    package.begin(client, ada)
    assert client.get("/act/", headers=browser(client)).text == "ada"
    client.get(f"/act_unseen/?usr={ada.pk}", headers=browser(client))
    package.end(client)
    client.get("/act/", headers=browser(client))

    of_staff = ({"id": str(staff.pk), "username": "staff", "anonymous_id": VISITOR}, {"id": SESSION})
    of_ada = ({"id": str(ada.pk), "username": "ada"}, None)
    assert people(events()) == [of_staff, of_staff, of_ada, of_ada, of_ada, of_staff, of_staff]


def test_staff_who_name_themselves(package: Any, client: Client, staff: User, ada: User, events: Events) -> None:
    """Are somebody else than the request's user, and get nothing of the request."""
    package.begin(client, ada)
    client.get(f"/act_unseen/?usr={staff.pk}", headers=browser(client))

    assert people(events()) == [({"id": str(staff.pk)}, None)]


def test_in_async_code(package: Any, client: Client, staff: User, ada: User, events: Events) -> None:
    """The same before and after the user is looked at."""
    package.begin(client, ada)
    visitor: Any = AsyncClient()
    visitor.cookies = client.cookies

    async def visit() -> str:
        answer = await visitor.get("/act_async/", headers=browser(client))
        return str(answer.text)

    assert async_to_sync(visit)() == "ada"
    assert people(events()) == [({"id": str(ada.pk)}, None)] * 2


def test_nobody_signs_in_or_out(
    package: Any, client: Client, staff: User, ada: User, events: Events, configure: Configure
) -> None:
    """What staff do to become somebody else, and themselves again, is no sign-in of either."""
    configure(AUTH_EVENTS=True)
    package.begin(client, ada)
    package.end(client)
    package.begin(client, ada)
    client.post("/leave/", headers=browser(client))
    client.force_login(staff)
    client.post("/leave/", headers=browser(client))

    names = [(event["event"]["name"], event["usr"]["id"]) for event in events()]
    assert names == [("user.signed_in", str(staff.pk)), ("user.signed_out", str(staff.pk))]


def test_page_names_nobody(package: Any, client: Client, staff: User, ada: User, configure: Configure) -> None:
    """The SDK's session is that of the staff, which is no session of that user; the page stays private all the same."""
    configure(CLIENT_TOKEN="pub0123456789abcdef0123456789abcdef", USER_ATTRIBUTES=("username",))
    package.begin(client, ada)

    answer = client.get("/page/", headers=browser(client))

    assert set(setup_in(answer.text)) == {"init"}
    assert "no-store" in answer.headers["Cache-Control"]


def test_while_it_begins(client: Client, staff: User, ada: User, events: Events) -> None:
    """The request of the staff has another user in its middle: nobody gets the session then."""

    def started(*, request: Any, hijacker: Any, hijacked: Any, **_: Any) -> None:
        track("support.began", usr=hijacker.pk)
        track("support.began", usr=hijacked.pk)

    hijack_started.connect(started)
    try:
        urls = override_settings(ROOT_URLCONF=tuple(Hijack().urls()), LOGIN_REDIRECT_URL="/")
        with modify_settings(INSTALLED_APPS={"append": "hijack"}), urls:
            Hijack().begin(client, ada)
    finally:
        hijack_started.disconnect(started)

    assert people(events()) == [({"id": str(staff.pk)}, None), ({"id": str(ada.pk)}, None)]


@pytest.mark.parametrize("marked", [True, False])
def test_middleware_of_a_project(marked: bool, client: Client, ada: User, events: Events) -> None:
    """Says it by an attribute of the user."""

    def acts(get_response: Any) -> Any:
        def middleware(request: HttpRequest) -> HttpResponse:
            request.user = User.objects.get(username="ada")
            setattr(request.user, "is_impersonate", marked)  # noqa: B010 - mypy knows of no such attribute
            answer: HttpResponse = get_response(request)
            return answer

        return middleware

    globals()["acts"] = acts
    added = modify_settings(MIDDLEWARE={"append": f"{__name__}.acts"})
    with override_settings(ROOT_URLCONF=__name__), added:
        client.get("/act/", headers=browser(client))

    assert people(events()) == [({"id": str(ada.pk)}, None if marked else {"id": SESSION})] * 2


@pytest.mark.parametrize("history", [["1"], []])
def test_in_a_websocket(history: list[str], ada: User) -> None:
    """The scope's session tells it, as no middleware of the package is there."""
    session = SessionStore()
    session["hijack_history"] = history
    headers = [(b"baggage", f"session.id={SESSION}".encode())]
    scope = {"type": "websocket", "path": "/", "query_string": b"", "headers": headers, "user": ada, "session": session}

    with modify_settings(INSTALLED_APPS={"append": "hijack"}):
        identity = identity_of(OpenedRequest(scope), get_emitter().settings)
        assert (identity.usr, identity.session) == (str(ada.pk), None if history else SESSION)
