"""USER_ATTRIBUTES, ACCOUNT_ATTRIBUTES and ANONYMOUS_ID: of the request's person, and of nobody else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import login
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.template import RequestContext, Template
from django.test import AsyncClient, Client, override_settings
from django.urls import path

from dd_pa import EventError, Identity, identify
from dd_pa.jobs import bind
from dd_pa_django import atrack, get_emitter, track
from tests.django_app.conftest import Configure, Events
from tests.page_scripts import setup_in

VISITOR = "59cf2df2-579e-4935-ab25-357d54822ec2"
TOKEN = "pub0123456789abcdef0123456789abcdef"


def once(request: HttpRequest) -> None:
    track("seen")


def twice(request: HttpRequest) -> None:
    track("seen")
    track("seen")


def of_bob(request: HttpRequest) -> None:
    track("seen", usr="bob")
    track("seen", usr="bob", account="acme")
    track("seen", identity=Identity(usr="bob"))
    with identify(usr="bob"):
        track("seen")
    get_emitter().integration.submit(get_emitter().integration.build("seen", usr="bob", owner=True))  # type: ignore[arg-type]


def of_her_in_words(request: HttpRequest) -> None:
    track("seen", usr=request.user.pk, account="acme")
    with identify(usr=str(request.user.pk)):
        track("seen")


def signing_up(request: HttpRequest) -> None:
    track("seen", usr="new")
    login(request, User.objects.get(username="ada"))
    track("seen")


def in_a_job(request: HttpRequest) -> None:
    afterwards.append(bind(_called))


def _called(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    return function(*args, **options)


afterwards: list[Callable[..., Any]] = []


async def in_async_code(request: HttpRequest) -> None:
    await atrack("seen")
    await sync_to_async(track)("seen")


async def with_all_ids(request: HttpRequest) -> None:
    user = await request.auser()
    await atrack("seen", usr=user.pk, account="acme", session="s-1")


def viewed(act: Any) -> Any:
    def view(request: HttpRequest) -> HttpResponse:
        act(request)
        return HttpResponse()

    async def aview(request: HttpRequest) -> HttpResponse:
        await act(request)
        return HttpResponse()

    return aview if act in (in_async_code, with_all_ids) else view


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(Template("{% load dd_pa %}{% dd_pa_rum %}").render(RequestContext(request)))


acts = [once, twice, of_bob, of_her_in_words, signing_up, in_a_job, in_async_code, with_all_ids]
urlpatterns = [*(path(f"{act.__name__}/", viewed(act)) for act in acts), path("page/", page)]


@pytest.fixture(autouse=True)
def _urls() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__):
        yield


class Known:
    """A callable that counts how often it is asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked = 0

    def __call__(self, request: HttpRequest) -> Any:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def people(events: list[dict[str, Any]]) -> list[Any]:
    return [(event.get("usr"), event.get("account")) for event in events]


def test_fields_by_name(ada_client: Client, ada: User, events: Events, configure: Configure) -> None:
    """A tuple names fields of the user; nothing that is not named is sent."""
    configure(USER_ATTRIBUTES=("username", "is_staff"), ACCOUNT_ID=lambda request: "acme")

    ada_client.get("/once/")

    assert people(events()) == [({"id": str(ada.pk), "username": "ada", "is_staff": False}, {"id": "acme"})]


def test_callable_is_asked_once_per_request(
    ada_client: Client, ada: User, events: Events, configure: Configure
) -> None:
    """And not at all where nothing is tracked. Names that events reserve mean nothing beside an id."""
    of_user, of_account = Known({"plan": "pro", "type": "b2b"}), Known({"seats": 3})
    configure(USER_ATTRIBUTES=of_user, ACCOUNT_ATTRIBUTES=of_account, ACCOUNT_ID=lambda request: "acme")

    ada_client.get("/in_a_job/")
    assert (of_user.asked, of_account.asked) == (0, 0)
    ada_client.get("/twice/")

    known = ({"id": str(ada.pk), "plan": "pro", "type": "b2b"}, {"id": "acme", "seats": 3})
    assert people(events()) == [known, known]
    assert (of_user.asked, of_account.asked) == (1, 1)


@pytest.mark.asyncio
@pytest.mark.parametrize("view", ["in_async_code", "with_all_ids"])
async def test_in_async_code(
    ada_async_client: AsyncClient, ada: User, events: Events, configure: Configure, view: str
) -> None:
    """A callable may use the database, also where all ids are given; it is asked once for a task and its threads."""
    of_user = Known(None)
    configure(USER_ATTRIBUTES=lambda request: of_user(request) or {"users": User.objects.count()})

    await ada_async_client.get(f"/{view}/")

    assert {usr["users"] for usr, _ in people(await sync_to_async(events)())} == {1}
    assert of_user.asked == 1


def test_somebody_else_gets_nothing(ada_client: Client, events: Events, configure: Configure) -> None:
    """Not by an argument, a block, a whole identity or as an owner; not of the account either."""
    configure(
        USER_ATTRIBUTES=("username",),
        ACCOUNT_ATTRIBUTES=lambda request: {"tier": 1},
        ACCOUNT_ID=lambda request: "acme",
        ANONYMOUS_ID=True,
    )

    ada_client.get("/of_bob/", headers={"cookie": f"{_login(ada_client)}; {_cookie()}"})

    bob = {"id": "bob"}
    assert people(events()) == [(bob, None), (bob, {"id": "acme"}), (bob, None), (bob, None), (bob, None)]


def test_same_person_said_in_code(ada_client: Client, ada: User, events: Events, configure: Configure) -> None:
    """Who names the request's own user says nothing new; an account that is not the request's is not described."""
    configure(USER_ATTRIBUTES=("username",), ACCOUNT_ATTRIBUTES=lambda request: {"tier": 1})

    ada_client.get("/of_her_in_words/")

    usr = {"id": str(ada.pk), "username": "ada"}
    assert people(events()) == [(usr, {"id": "acme"}), (usr, None)]


def test_login_in_the_middle(client: Client, ada: User, events: Events, configure: Configure) -> None:
    """A visitor has no attributes; his anonymous id goes where his session goes."""
    configure(USER_ATTRIBUTES=("username",), ANONYMOUS_ID=True)

    client.get("/signing_up/", headers={"cookie": _cookie()})

    assert people(events()) == [
        ({"id": "new", "anonymous_id": VISITOR}, None),
        ({"id": str(ada.pk), "anonymous_id": VISITOR, "username": "ada"}, None),
    ]


def test_jobs_carry_none(ada_client: Client, ada: User, events: Events, configure: Configure) -> None:
    """What is queued takes ids along, and asks for nothing else; `bind()` takes the request itself."""
    known = Known({"plan": "pro"})
    configure(USER_ATTRIBUTES=known)
    afterwards.clear()

    ada_client.get("/in_a_job/")

    assert afterwards[0](get_emitter().integration.identity, lenient=True) == Identity(usr=str(ada.pk))
    assert known.asked == 0
    afterwards[0](track, "seen")
    assert people(events()) == [({"id": str(ada.pk), "plan": "pro"}, None)]


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        pytest.param(KeyError("secret"), {}, id="fails"),
        pytest.param("pro", {}, id="no mapping"),
        pytest.param({"id": "bob", "id.x": 1, "anonymous_id": "x", "plan": 1}, {"plan": 1}, id="reserved"),
        pytest.param({"plan": object(), "seats": 1}, {"seats": 1}, id="type"),
        pytest.param({"plan": "x" * 9_000}, {}, id="size"),
        pytest.param({str(n): n for n in range(51)}, {str(n): n for n in range(50)}, id="number"),
    ],
)
def test_what_cannot_be_sent(
    ada_client: Client, ada: User, events: Events, configure: Configure, answer: object, left: dict[str, Any]
) -> None:
    """It is left out and counted, and breaks no request; in strict mode it is raised."""
    known = Known(answer)
    configure(USER_ATTRIBUTES=known, STRICT=False)

    ada_client.get("/twice/")

    assert people(events()) == [({"id": str(ada.pk)} | left, None)] * 2
    assert get_emitter().stats().repaired > 0
    assert known.asked == 1

    configure(USER_ATTRIBUTES=known)
    with pytest.raises((EventError, KeyError)):
        ada_client.get("/once/")


@pytest.mark.parametrize("name", ["pk", "username"])
def test_names_beside_user_id(ada_client: Client, ada: User, events: Events, configure: Configure, name: str) -> None:
    """They are of the login where USER_ID says its key or another unique field."""
    configure(
        USER_ID=lambda request: getattr(request.user, name),
        USER_ATTRIBUTES=("is_staff",),
        ACCOUNT_ID=lambda request: "acme",
        ACCOUNT_ATTRIBUTES=("is_active",),
    )

    ada_client.get("/once/")

    usr = {"id": str(getattr(ada, name)), "is_staff": False}
    assert people(events()) == [(usr, {"id": "acme", "is_active": True})]


@pytest.mark.parametrize("strict", [True, False])
def test_names_beside_the_id_of_somebody_else(
    ada_client: Client, ada: User, events: Events, configure: Configure, strict: bool
) -> None:
    """USER_ID may name whom the staff act for: their own fields are not his. A callable is trusted."""
    acts_for: Any = {"USER_ID": lambda request: "customer-7", "ACCOUNT_ID": lambda request: "acme"}
    configure(USER_ATTRIBUTES=("email",), ACCOUNT_ATTRIBUTES=("is_staff",), STRICT=strict, **acts_for)

    if strict:
        with pytest.raises(EventError, match="USER_ID says an id that is no unique field of the User who is logged in"):
            ada_client.get("/once/")
        return
    ada_client.get("/once/")

    assert people(events()) == [({"id": "customer-7"}, {"id": "acme"})]
    configure(USER_ATTRIBUTES=lambda request: {"plan": "pro"}, **acts_for)
    ada_client.get("/once/")
    assert people(events())[1:] == [({"id": "customer-7", "plan": "pro"}, {"id": "acme"})]


def test_field_that_users_do_not_have(ada_client: Client, configure: Configure) -> None:
    """The error names it."""
    configure(USER_ATTRIBUTES=("plan",))

    with pytest.raises(EventError, match=r"usr\.plan: User has no such field"):
        ada_client.get("/once/")


def test_page_says_the_same(ada_client: Client, ada: User, client: Client, configure: Configure) -> None:
    """The browser SDK is told what events say, and finds its own anonymous id by itself."""
    configure(
        CLIENT_TOKEN=TOKEN,
        USER_ATTRIBUTES=("username",),
        ACCOUNT_ID=lambda request: "acme",
        ACCOUNT_ATTRIBUTES=lambda request: {"tier": "</script>"},
        ANONYMOUS_ID=True,
    )

    answer = ada_client.get("/page/", headers={"cookie": f"{_login(ada_client)}; {_cookie()}"})

    setup = setup_in(answer.content.decode())
    assert setup["user"] == {"id": str(ada.pk), "username": "ada"}
    assert setup["account"] == {"id": "acme", "tier": "</script>"}


@pytest.mark.parametrize(
    ("settings", "gpc", "sent"),
    [
        pytest.param({"CONSENT": lambda request: True}, "0", True, id="yes"),
        pytest.param({"CONSENT": lambda request: False}, "0", False, id="no"),
        pytest.param({"RESPECT_GPC": True}, "1", False, id="objection"),
    ],
)
def test_anonymous_id_needs_consent(
    ada_client: Client, ada: User, events: Events, configure: Configure, settings: Any, gpc: str, sent: bool
) -> None:
    """Without it there is no event at all."""
    configure(ANONYMOUS_ID=True, **settings)

    cookie = f"{_login(ada_client)}; {_cookie()}"
    ada_client.get("/once/", headers={"cookie": cookie, "sec-gpc": gpc})

    assert people(events()) == ([({"id": str(ada.pk), "anonymous_id": VISITOR}, None)] if sent else [])


@pytest.mark.parametrize("form", ["abc", VISITOR.upper(), VISITOR[:-1], "00000000-aaaa-0000-aaaa-000000000000"])
def test_anonymous_id_of_another_form(
    ada_client: Client, ada: User, events: Events, configure: Configure, form: str
) -> None:
    """It is as strict as with sessions."""
    configure(ANONYMOUS_ID=True)

    ada_client.get("/once/", headers={"cookie": f"{_login(ada_client)}; {_cookie(form)}"})

    assert people(events()) == [({"id": str(ada.pk)}, None)]


def test_anonymous_id_is_no_link(client: Client, events: Events, configure: Configure) -> None:
    """It goes beside `usr.id` and never instead of one."""
    configure(ANONYMOUS_ID=True, ACCOUNT_ID=lambda request: "acme")

    client.get("/once/", headers={"cookie": _cookie()})

    assert people(events()) == [(None, {"id": "acme"})]


def _login(client: Client) -> str:
    return f"sessionid={client.cookies['sessionid'].value}"


def _cookie(visitor: str = VISITOR) -> str:
    return f"_dd_s_v2=isExpired=1&aid={visitor}&expire={time.time_ns() // 1_000_000 - 1}&c=0"
