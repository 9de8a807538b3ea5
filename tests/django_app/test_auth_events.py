"""Sign-ins as events, if they are asked for: of the right user, and never of what somebody typed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth import aauthenticate, alogin, alogout, authenticate, login, logout
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
from django.test import Client, RequestFactory
from rest_framework.test import APIClient

from dd_pa import identify
from dd_pa.emulator import Emulator
from dd_pa_django import get_emitter
from tests.django_app.conftest import Configure, Events

SESSION = "2b1b778e-9ef6-45d6-89b8-e68ca6ceb436"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def switched_on(configure: Configure) -> Configure:
    """AUTH_EVENTS, and a browser session that RUM knows."""

    def change(**keys: object) -> None:
        configure(**{"AUTH_EVENTS": True, "SESSION_ID": lambda request: SESSION} | keys)

    change()
    return change


def request_with(user: Any = None) -> HttpRequest:
    request = RequestFactory().get("/")
    request.session = SessionStore()
    if user is not None:
        request.user = user
    return request


async def aanonymous() -> AnonymousUser:
    return AnonymousUser()


def linked(events: Events) -> list[tuple[str, str | None, str | None]]:
    return [
        (event["event"]["name"], event.get("usr", {}).get("id"), event.get("session", {}).get("id"))
        for event in events()
    ]


@pytest.mark.usefixtures("switched_on")
def test_through_the_login_page(client: Client, ada: User, events: Events) -> None:
    """In and out, by Django's own views."""
    client.post("/signs_in_by_form/", {"username": "ada", "password": "secret"})
    client.post("/signs_out_by_form/")

    assert linked(events) == [("user.signed_in", str(ada.pk), SESSION), ("user.signed_out", str(ada.pk), SESSION)]


@pytest.mark.usefixtures("switched_on")
def test_another_user_signs_in(ada: User, events: Events) -> None:
    """In the session of the one before, inside of a block that names a third: it is who comes, then leaves."""
    grace = User.objects.create_user("grace")
    request = request_with(ada)
    with identify(usr="a job"):
        login(request, grace, backend="django.contrib.auth.backends.ModelBackend")
        logout(request)

    names = [(name, usr) for name, usr, _ in linked(events)]
    assert names == [("user.signed_in", str(grace.pk)), ("user.signed_out", str(grace.pk))]


@pytest.mark.parametrize("method", [logout, async_to_sync(alogout)], ids=["sync", "async"])
@pytest.mark.parametrize("user_id", [None, lambda request: request.user.pk], ids=["key", "USER_ID"])
def test_deleted_before_he_leaves(
    switched_on: Configure, ada: User, events: Events, user_id: Any, method: Callable[..., Any]
) -> None:
    """He has no key any more: neither `None` made a text, nor the user of a block is who leaves."""
    switched_on(USER_ID=user_id, ACCOUNT_ID=lambda request: "acme")
    request = request_with(ada)
    request.auser = sync_to_async(lambda: ada)
    ada.delete()
    with identify(usr="a job"):
        method(request)

    assert events() == [{"event": {"name": "user.signed_out"}, "session": {"id": SESSION}}]


@pytest.mark.usefixtures("switched_on")
def test_failed(client: Client, ada: User, emulator: Emulator, events: Events) -> None:
    """Nothing of what was typed, and nobody's id: not of the user whose name it is, nor of one who is logged in."""
    User.objects.create_user("marked-name", "marked@example.com", "marked-right")
    client.force_login(ada)
    before = len(events())
    client.post("/signs_in_by_form/", {"username": "marked-name", "password": "marked-wrong"})

    assert events()[before:] == [{"event": {"name": "user.sign_in_failed"}, "session": {"id": SESSION}}]
    assert "marked" not in str(emulator.events[before:])


@pytest.mark.usefixtures("switched_on")
def test_failed_inside_of_a_block(ada: User, events: Events) -> None:
    """A block's session is one, its user is not who tried."""
    with identify(usr="u-1", account="acme", session=SESSION):
        authenticate(None, username="ada", password="wrong")
        authenticate(request_with(), username="ada", password="wrong")

    assert events() == [{"event": {"name": "user.sign_in_failed"}, "session": {"id": SESSION}}] * 2


def test_failed_without_a_session(configure: Configure, ada: User, events: Events) -> None:
    """There is nobody to link it to."""
    configure(AUTH_EVENTS=True)
    authenticate(None, username="ada", password="wrong")

    assert events() == []
    assert get_emitter().stats().dropped == {"unlinked": 1}


@pytest.mark.parametrize("method", [login, alogin], ids=["sync", "async"])
def test_ids_of_the_applications_own(
    switched_on: Configure, ada: User, events: Events, method: Callable[..., Any]
) -> None:
    """USER_ID and ACCOUNT_ID see the new user on the request, which is still the old one's for everybody else."""
    switched_on(
        USER_ID=lambda request: f"name:{request.user.get_username()}",
        ACCOUNT_ID=lambda request: request.user.get_username() and "acme",
    )
    request = request_with()
    run = method if method is login else async_to_sync(method)
    run(request, ada, backend="django.contrib.auth.backends.ModelBackend")

    [event] = events()
    assert (event["usr"], event["account"]) == ({"id": "name:ada"}, {"id": "acme"})
    assert not hasattr(request, "user")


@pytest.mark.usefixtures("switched_on")
@pytest.mark.asyncio
async def test_async(ada: User, events: Events) -> None:
    """The async twins of Django's functions."""

    async def auser() -> User:
        return ada

    request = request_with()
    await aauthenticate(request, username="ada", password="wrong")
    await alogin(request, ada, backend="django.contrib.auth.backends.ModelBackend")
    request.auser = auser
    await alogout(request)
    request.auser = aanonymous
    await alogout(request)

    assert linked(events) == [
        ("user.sign_in_failed", None, SESSION),
        ("user.signed_in", str(ada.pk), SESSION),
        ("user.signed_out", str(ada.pk), SESSION),
    ]


@pytest.mark.usefixtures("switched_on")
def test_nobody_signs_out(events: Events) -> None:
    """A visitor who was not logged in did not leave."""
    logout(request_with())

    assert events() == []


@pytest.mark.usefixtures("switched_on")
def test_signal_without_a_request(ada: User, events: Events) -> None:
    """Some backends send it so."""
    user_logged_in.send(User, request=None, user=ada)

    assert linked(events) == [("user.signed_in", str(ada.pk), None)]


def test_rest_framework(switched_on: Configure, ada: User, events: Events) -> None:
    """A wrong token is no sign-in; a view that logs in by the framework's request is one."""
    api = APIClient()
    api.get("/ApiTrackView/", HTTP_AUTHORIZATION="Token wrong")
    before = len(events())
    api.post("/api_signs_in/", {"username": "ada", "password": "secret"})
    api.post("/api_signs_in/", {"username": "ada", "password": "wrong"})

    assert linked(events)[before:] == [("user.signed_in", str(ada.pk), SESSION), ("user.sign_in_failed", None, SESSION)]


def test_failing_resolver(switched_on: Configure, ada: User) -> None:
    """Breaks no sign-in, whatever it is that fails."""

    def fail(request: HttpRequest) -> str:
        raise LookupError

    request = request_with()
    switched_on(STRICT=False, USER_ID=fail)
    login(request, ada, backend="django.contrib.auth.backends.ModelBackend")
    dropped = [get_emitter().stats().dropped]
    switched_on(STRICT=False, SESSION_ID=fail)
    authenticate(request_with(), username="ada", password="wrong")
    dropped.append(get_emitter().stats().dropped)

    assert request.session["_auth_user_id"] == str(ada.pk)
    assert dropped == [{"invalid": 1}] * 2


def test_consent(switched_on: Configure, client: Client, ada: User, events: Events) -> None:
    """Is asked as for any event."""
    switched_on(CONSENT=lambda request: False)
    client.post("/signs_in_by_form/", {"username": "ada", "password": "secret"})
    client.post("/signs_in_by_form/", {"username": "ada", "password": "wrong"})

    assert events() == []
    assert get_emitter().stats().dropped == {"consent": 2}


def test_off_by_default(client: Client, ada: User, events: Events) -> None:
    """Also after a test that had them on."""
    client.post("/signs_in_by_form/", {"username": "ada", "password": "secret"})

    assert events() == []


RUN = "import django; django.setup(); import sys; print(*sorted(name for name in sys.modules if 'auth' in name))"


@pytest.mark.parametrize(
    ("given", "connected"), [(None, False), ("false", False), ("nonsense", False), ("true", True)], ids=str
)
def test_set_in_the_environment(given: str | None, connected: bool) -> None:
    """Nothing is imported where they are off."""
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.django_app.settings"}
    environ |= {"DD_PA_AUTH_EVENTS": given} if given else {}
    done = subprocess.run(
        [sys.executable, "-c", RUN], env=environ, cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert ("dd_pa_django.auth_events" in done.stdout.split()) is connected


def test_django_allauth(emulator: Emulator) -> None:
    """A project of its own that really uses it: sign up (which signs in), leave, fail, come back."""
    intake = str(get_emitter().settings.intake_url)
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.django_app.allauth_project", "INTAKE_URL": intake}
    subprocess.run([sys.executable, "-m", "tests.django_app.allauth_project"], env=environ, cwd=ROOT, check=True)

    arrived = sorted(emulator.events, key=lambda event: event["dd_pa"]["occurred_at"])
    assert [(event["event"]["name"], event.get("usr", {}).get("id")) for event in arrived] == [
        ("user.signed_up", "1"),
        ("user.signed_in", "1"),
        ("user.signed_out", "1"),
        ("user.sign_in_failed", None),
        ("user.signed_in", "1"),
    ]
    assert "marked" not in str(arrived)
