"""`{% dd_pa_rum %}`: what it renders, for whom, and what it does to the answer's headers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from csp.constants import NONCE
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template import RequestContext, Template, engines
from django.template.response import TemplateResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path
from django.views.decorators.cache import cache_page

from dd_pa import EventError, identify
from dd_pa_django import track
from dd_pa_django.browser import rum_scripts
from tests.django_app.conftest import Configure, Events
from tests.page_scripts import scripts_of, setup_in

TOKEN = "pub0123456789abcdef0123456789abcdef"
KEY = "0123456789abcdef0123456789abcdef"
OURS = "dd_pa_django.middleware.ProductAnalyticsMiddleware"
LOGIN = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
CSP_MIDDLEWARE = ["csp.middleware.CSPMiddleware"]
if find_spec("django.middleware.csp"):  # Django 6
    CSP_MIDDLEWARE.append("django.middleware.csp.ContentSecurityPolicyMiddleware")
HOSTILE = "</script><script>alert(1)</script><!--\u2028]]>&'\""
PAGE = "<!doctype html><head>{% load dd_pa %}{% dd_pa_rum %}</head>"

pytestmark = pytest.mark.usefixtures("_tag")


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(Template(PAGE).render(RequestContext(request)))


def page_without(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.user.pk))


def lazy_page(request: HttpRequest) -> TemplateResponse:
    return TemplateResponse(request, engines["django"].from_string(PAGE))


def tracking_page(request: HttpRequest) -> HttpResponse:
    track("page.seen")
    return page(request)


def named_page(request: HttpRequest) -> HttpResponse:
    with identify(usr=HOSTILE.replace("\u2028", ""), account="acme"):
        return page(request)


def streamed_page(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(Template(PAGE).render(RequestContext(request)) for _ in range(1))


async def async_page(request: HttpRequest) -> HttpResponse:
    return page(request)


async def loaded_async_page(request: HttpRequest) -> HttpResponse:
    await request.auser()
    return page(request)


async def threaded_async_page(request: HttpRequest) -> HttpResponse:
    return await sync_to_async(page)(request)


views: list[Callable[..., Any]] = [
    page, page_without, lazy_page, tracking_page, named_page, streamed_page,
    async_page, loaded_async_page, threaded_async_page,
]  # fmt: skip
urlpatterns = [path(f"{view.__name__}/", view) for view in views]
urlpatterns += [path("cached/", cache_page(60)(page)), path("cached_lazy/", cache_page(60)(lazy_page))]


@pytest.fixture
def _tag(configure: Configure) -> Iterator[None]:
    configure(CLIENT_TOKEN=TOKEN, RUM_OPTIONS={"proxy": "http://127.0.0.1:8994/rum"})
    with override_settings(ROOT_URLCONF=__name__, STATIC_URL="/static/"):
        yield
    cache.clear()


def scripts(response: Any) -> list[dict[str, Any]]:
    return scripts_of(b"".join(response).decode())


def setup_of(response: Any) -> dict[str, Any]:
    return setup_in(b"".join(response).decode())


def caching(response: Any) -> tuple[str | None, str | None]:
    return response.headers.get("Cache-Control"), response.headers.get("Vary")


def test_page_of_somebody(ada_client: Client, ada: User, events: Events) -> None:
    """The page names the user as the event of the same request does, and is kept out of caches."""
    answer = ada_client.get("/tracking_page/")

    assert [{key: value for key, value in item.items() if key != "text"} for item in scripts(answer)] == [
        {"id": "dd-pa-rum", "type": "application/json"},
        {"src": "https://www.datadoghq-browser-agent.com/us1/v7/datadog-rum.js", "defer": None},
        {"src": "/static/dd_pa/rum.js", "defer": None},
    ]
    assert setup_of(answer) == {
        "init": {
            "applicationId": "shop",
            "clientToken": TOKEN,
            "site": "datadoghq.com",
            "sessionSampleRate": 100.0,
            "proxy": "http://127.0.0.1:8994/rum",
        },
        "user": {"id": str(ada.pk)},
    }
    assert caching(answer) == ("private, no-store", "Cookie")
    assert [event["usr"] for event in events()] == [setup_of(answer)["user"]]


def test_page_of_nobody_keeps_its_headers(client: Client) -> None:
    """No ids, no marks: such a page may be shared."""
    answer = client.get("/page/")

    assert sorted(setup_of(answer)) == ["init"]
    assert caching(answer) == (None, None)


def test_page_without_the_tag_keeps_its_headers(ada_client: Client) -> None:
    """What Django itself says of a page that looked at the user, and no more."""
    assert caching(ada_client.get("/page_without/")) == (None, "Cookie")


def test_hostile_ids_stay_data(client: Client) -> None:
    """An id cannot end the script that it stands in."""
    answer = client.get("/named_page/")

    assert len(scripts(answer)) == 3
    assert setup_of(answer)["user"] == {"id": HOSTILE.replace("\u2028", "")}
    assert setup_of(answer)["account"] == {"id": "acme"}


def test_template_response(ada_client: Client, ada: User) -> None:
    """Rendered after the view, and still in the request."""
    answer = ada_client.get("/lazy_page/")

    assert setup_of(answer)["user"] == {"id": str(ada.pk)}
    assert caching(answer) == ("private, no-store", "Cookie")


def test_streamed_page_names_nobody(ada_client: Client) -> None:
    """Its headers are on their way before it is rendered: nothing could keep it private."""
    answer = ada_client.get("/streamed_page/")

    assert sorted(setup_of(answer)) == ["init"]


def has_agreed(request: HttpRequest) -> bool:
    return request.COOKIES.get("analytics") == "yes"


def test_consent_is_passed_on(configure: Configure, ada_client: Client, ada: User) -> None:
    """Who has not agreed is not named, and the SDK is told to wait; no cache mixes the two up."""
    configure(CLIENT_TOKEN=TOKEN, CONSENT=has_agreed)
    denied = ada_client.get("/page/")
    streamed = ada_client.get("/streamed_page/")
    ada_client.cookies["analytics"] = "yes"
    granted = ada_client.get("/page/")

    setups = [setup_of(answer) for answer in (denied, streamed, granted)]
    consents = [setup["init"]["trackingConsent"] for setup in setups]

    assert consents == ["not-granted", "not-granted", "granted"]
    assert [setup.get("user") for setup in setups] == [None, None, {"id": str(ada.pk)}]
    assert caching(denied) == caching(granted) == ("private, no-store", "Cookie")


def test_outside_of_a_request_nobody_is_named() -> None:
    """A page made by a command, or for a mail."""
    with identify(usr="7"):
        page = rum_scripts()

    assert sorted(setup_in(page)) == ["init"]


@pytest.mark.parametrize("chain", [[OURS, "{}", *LOGIN], ["{}", OURS, *LOGIN], ["{}", *LOGIN, OURS]])
def test_django_never_caches_a_page_with_ids(ada: User, chain: list[str]) -> None:
    """Wherever its cache middleware stands: a page made for Ada is not given to anybody else."""
    update, fetch = (f"django.middleware.cache.{name}CacheMiddleware" for name in ("Update", "FetchFrom"))
    with override_settings(MIDDLEWARE=[*(update if name == "{}" else name for name in chain), fetch]):
        ada_client, nobody = Client(), Client()
        ada_client.force_login(ada)
        named = [sorted(setup_of(each.get("/page/"))) for each in (ada_client, nobody, nobody)]

    assert named == [["init", "user"], ["init"], ["init"]]


@pytest.mark.parametrize("address", ["/cached/", "/cached_lazy/"])
def test_cached_view_is_not_cached_with_ids(ada_client: Client, address: str) -> None:
    """`cache_page` stands below every middleware."""
    named = [sorted(setup_of(each.get(address))) for each in (ada_client, Client())]

    assert named == [["init", "user"], ["init"]]


@pytest.mark.parametrize("middleware", CSP_MIDDLEWARE)
def test_nonce_of_the_request(ada_client: Client, middleware: str) -> None:
    """The one that the CSP header names, on both scripts that run."""
    policy = {
        "CONTENT_SECURITY_POLICY": {"DIRECTIVES": {"script-src": [NONCE]}},
        "SECURE_CSP": {"script-src": ["<CSP_NONCE_SENTINEL>"]},
    }
    with override_settings(MIDDLEWARE=[middleware, *LOGIN, OURS], **policy):
        answers = [ada_client.get("/page/") for _ in range(2)]
    nonces = [{script.get("nonce") for script in scripts(answer)[1:]} for answer in answers]

    for answer, found in zip(answers, nonces, strict=True):
        assert f"'nonce-{next(iter(found))}'" in answer.headers["Content-Security-Policy"]
        assert "nonce" not in scripts(answer)[0]
    assert [len(found) for found in nonces] == [1, 1]
    assert nonces[0] != nonces[1]


def test_nonce_is_escaped(client: Client) -> None:
    """A middleware of the project's own may put anything there."""
    with override_settings(MIDDLEWARE=[f"{__name__}.hostile_nonce", OURS]):
        found = scripts(client.get("/page/"))

    assert [script.get("nonce") for script in found] == [None, HOSTILE, HOSTILE]


def hostile_nonce(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        request.csp_nonce = HOSTILE  # type: ignore[attr-defined]
        return get_response(request)

    return middleware


def test_own_file_with_a_hash(configure: Configure, client: Client) -> None:
    """The browser compares what it gets."""
    configure(CLIENT_TOKEN=TOKEN, RUM_SDK_URL="/static/rum.js?v=7&x", RUM_SDK_INTEGRITY="sha384-abc+/=")
    sdk = scripts(client.get("/page/"))[1]

    assert (sdk["src"], sdk["integrity"], sdk["crossorigin"]) == ("/static/rum.js?v=7&x", "sha384-abc+/=", "anonymous")


@pytest.mark.parametrize("keys", [{"ENABLED": False}, {"CLIENT_TOKEN": None, "STRICT": False}])
def test_nothing_is_rendered_where_it_is_off(configure: Configure, ada_client: Client, keys: dict[str, object]) -> None:
    """Switched off, or without a token: the page comes all the same, as it was."""
    configure(**({"CLIENT_TOKEN": TOKEN} | keys))
    answer = ada_client.get("/page/")

    assert answer.content == b"<!doctype html><head></head>"
    assert caching(answer) == (None, None)


def test_missing_token_is_said_in_strict_mode(configure: Configure, client: Client) -> None:
    """While the page is developed."""
    configure()

    with pytest.raises(ImproperlyConfigured, match=r"DD_PA\['CLIENT_TOKEN'\]"):
        client.get("/page/")


def test_api_key_in_place_of_the_token_is_a_check_error(configure: Configure) -> None:
    """`manage.py check` stops a deployment that would publish the key; it does not show it either."""
    configure(CLIENT_TOKEN=KEY)

    with pytest.raises(SystemCheckError, match=r"dd_pa\.E001.*CLIENT_TOKEN") as refused:
        call_command("check")
    assert KEY not in str(refused.value)


@pytest.mark.asyncio
@pytest.mark.parametrize("address", ["/loaded_async_page/", "/threaded_async_page/"])
async def test_async_page(ada_async_client: AsyncClient, ada: User, address: str) -> None:
    """Where the user is loaded, or the page is rendered in a thread."""
    answer = await ada_async_client.get(address)

    assert setup_of(answer)["user"] == {"id": str(ada.pk)}
    assert caching(answer) == ("private, no-store", "Cookie")


@pytest.mark.asyncio
async def test_async_page_whose_user_is_not_loaded(configure: Configure, ada_async_client: AsyncClient) -> None:
    """Nobody is named; in strict mode the fix is."""
    with pytest.raises(EventError, match=r"usr: is not loaded yet.*await request\.auser\(\)"):
        await ada_async_client.get("/async_page/")
    configure(CLIENT_TOKEN=TOKEN, STRICT=False)
    answer = await ada_async_client.get("/async_page/")

    assert sorted(setup_of(answer)) == ["init"]
    assert caching(answer) == (None, None)
