"""Tokens instead of a session, by the packages for it: events name the token's user, whoever the session knows."""

# The REST framework has no types.
# mypy: disable-error-code="misc, untyped-decorator"

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path
from rest_framework.authentication import TokenAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.decorators import api_view, authentication_classes
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.authentication import JWTAuthentication, JWTStatelessUserAuthentication
from rest_framework_simplejwt.tokens import AccessToken

from dd_pa_django import atrack, track, tracked
from tests.django_app.conftest import Events

SESSION = "3122841d-f7d1-4b2f-9e0d-fbbfd8507279"
KINDS = [TokenAuthentication, JWTAuthentication, JWTStatelessUserAuthentication]


def header_of(kind: Any, user: User, **options: Any) -> dict[str, str]:
    """Return what an app of this user sends; it has a session of the SDK, in baggage."""
    if kind is TokenAuthentication:
        word, token = "Token", Token.objects.get_or_create(user=user)[0].key
    else:
        word, access = "Bearer", AccessToken.for_user(user)
        access.set_exp(lifetime=options.get("lifetime", timedelta(minutes=5)))
        token = str(access)
    return {"authorization": f"{word} {token}", "baggage": f"session.id={SESSION}"}


def views_of(kind: Any) -> list[Any]:
    """Return the ways in which a view of the REST framework tracks, all of which authenticate by this class."""

    @api_view(["GET"])
    @authentication_classes([kind])
    def inside(request: Any) -> Response:
        track("report.viewed")
        return Response({"user": str(request.user.pk)})

    @tracked("report.viewed")
    @api_view(["GET"])
    @authentication_classes([kind])
    def outside(request: Any) -> Response:
        return Response({"user": str(request.user.pk)})

    class Method(APIView):
        authentication_classes = (kind,)

        @tracked("report.viewed")
        def get(self, request: Any) -> Response:
            return Response({"user": str(request.user.pk)})

    async def by_hand(request: HttpRequest) -> HttpResponse:
        """Authenticate without the framework's views, as async code does."""

        def authenticate() -> Any:
            return kind().authenticate(APIView().initialize_request(request))

        found = await sync_to_async(authenticate)()
        if found is not None:
            request.user = found[0]
        await atrack("report.viewed")
        return HttpResponse()

    return [
        path(f"{kind.__name__}/inside/", inside),
        path(f"{kind.__name__}/outside/", outside),
        path(f"{kind.__name__}/method/", Method.as_view()),
        path(f"{kind.__name__}/by_hand/", by_hand),
    ]


urlpatterns = [pattern for kind in KINDS for pattern in views_of(kind)]


@pytest.fixture(autouse=True)
def _urls() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__, SIMPLE_JWT={"SIGNING_KEY": "only-for-tests" * 5}):
        yield


@pytest.fixture(params=[False, True], ids=["token only", "session of somebody else too"])
def is_signed_in(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.mark.parametrize("way", ["inside", "outside", "method", "by_hand"])
@pytest.mark.parametrize("kind", KINDS)
def test_event_is_of_the_tokens_user(kind: Any, way: str, is_signed_in: bool, ada: User, events: Events) -> None:
    """In every kind of view, in sync and async code; the session in the same request is the browser's or app's."""
    bob = User.objects.create_user("bob")
    client = AsyncClient() if way == "by_hand" else Client()
    if is_signed_in:
        client.force_login(ada)

    answer: Any = client.get(f"/{kind.__name__}/{way}/", headers=header_of(kind, bob))
    if way == "by_hand":
        answer = async_to_sync(_awaited)(answer)

    assert answer.status_code == 200
    assert [(event["usr"], event["session"]) for event in events()] == [({"id": str(bob.pk)}, {"id": SESSION})]


async def _awaited(answer: Any) -> Any:
    return await answer


@pytest.mark.parametrize("kind", [JWTAuthentication, JWTStatelessUserAuthentication])
def test_token_that_is_over(kind: Any, ada: User, client: Client, events: Events) -> None:
    """Is refused, and fires nothing of a view."""
    headers = header_of(kind, ada, lifetime=-timedelta(minutes=1))

    for way in ("inside", "outside", "method"):
        assert client.get(f"/{kind.__name__}/{way}/", headers=headers).status_code == 401

    assert events() == []
