"""`@tracked`: once, after the view, when the answer is a success."""

from __future__ import annotations

from typing import Any, cast

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory

from dd_pa_django import get_emitter, tracked
from tests.django_app import views
from tests.django_app.conftest import Configure, Events

DETAILED = ["MethodView", "BareMethodView", "DispatchView", "AsyncMethodView", "AsyncDispatchView"]
DETAILED += ["report_with_callable", "report_with_callable_async"]


@pytest.mark.parametrize("path", DETAILED)
def test_event_of_each_kind_of_view(ada_client: Client, ada: User, events: Events, path: str) -> None:
    """Functions, methods and classes, sync and async, under WSGI."""
    response = ada_client.get(f"/{path}/")

    assert response.content == b"report"
    assert events() == [
        {"event": {"name": "report.viewed"}, "usr": {"id": str(ada.pk)}, "path": f"/{path}/", "status": 200}
    ]


@pytest.mark.parametrize("path", DETAILED)
@pytest.mark.asyncio
async def test_event_of_each_kind_of_view_under_asgi(
    ada_async_client: AsyncClient, ada: User, events: Events, path: str
) -> None:
    """The same views on an async server."""
    response = await ada_async_client.get(f"/{path}/")

    assert response.content == b"report"
    assert events() == [
        {"event": {"name": "report.viewed"}, "usr": {"id": str(ada.pk)}, "path": f"/{path}/", "status": 200}
    ]


@pytest.mark.parametrize("path", ["report", "report_async"])
@pytest.mark.parametrize(
    ("status", "count"), [(200, 1), (204, 1), (302, 1), (304, 1), (399, 1), (400, 0), (404, 0), (500, 0)]
)
def test_success_is_a_status_below_400(ada_client: Client, events: Events, path: str, status: int, count: int) -> None:
    """A redirect after a form is a success too."""
    ada_client.get(f"/{path}/", {"status": status})

    assert len(events()) == count


@pytest.mark.parametrize("path", ["report_fails", "report_fails_async"])
def test_exception_fires_nothing(ada_client: Client, events: Events, path: str) -> None:
    """And is passed on as it is."""
    with pytest.raises(views.ViewError):
        ada_client.get(f"/{path}/")

    assert events() == []


@pytest.mark.parametrize(("status", "names"), [(200, []), (404, ["report.missed"])])
def test_when_decides_instead_of_the_status(ada_client: Client, events: Events, status: int, names: list[str]) -> None:
    """It is asked with the request and the response."""
    ada_client.get("/report_when/", {"status": status})

    assert [event["event"]["name"] for event in events()] == names


def test_attributes_may_be_a_mapping(ada_client: Client, events: Events) -> None:
    """The same for each event."""
    ada_client.post("/report_with_mapping/")

    assert [event["kind"] for event in events()] == ["constant"]


def test_template_response_fires_when_it_is_rendered(ada_client: Client, events: Events) -> None:
    """Once, and the page comes as ever."""
    response = ada_client.get("/report_template/")

    assert response.content == b"report"
    assert [event["rendered"] for event in events()] == [True]


@pytest.mark.parametrize("path", ["report_broken_attributes", "report_broken_when"])
def test_failing_callable_leaves_the_answer_alone(
    ada_client: Client, configure: Configure, events: Events, path: str
) -> None:
    """In lenient mode its event is dropped and counted."""
    configure(STRICT=False)

    response = ada_client.get(f"/{path}/")

    assert (response.status_code, response.content) == (200, b"report")
    assert events() == []
    assert get_emitter().stats().dropped == {"invalid": 1}


@pytest.mark.parametrize("path", ["report_broken_attributes", "report_broken_when"])
def test_failing_callable_raises_in_strict_mode(ada_client: Client, path: str) -> None:
    """Its own error, where the developer sees it."""
    with pytest.raises(views.ViewError):
        ada_client.get(f"/{path}/")


def test_nothing_is_asked_when_switched_off(ada_client: Client, configure: Configure) -> None:
    """ENABLED=False calls neither `when` nor `attributes`."""
    configure(ENABLED=False, STRICT=True)

    assert ada_client.get("/report_broken_attributes/").status_code == 200
    assert ada_client.get("/report_broken_when/").status_code == 200


def test_view_keeps_its_name_and_marks() -> None:
    """Other decorators and Django's tools find the view as it was."""
    marked: Any = views.report_with_mapping

    assert (views.report.__name__, views.report.__doc__) == ("report", "The report.")
    assert marked.csrf_exempt is True
    assert views.AsyncMethodView.view_is_async is True


def test_marks_of_inner_decorators_are_kept() -> None:
    """Such as `csrf_exempt` below `tracked`."""

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    cast("Any", view).csrf_exempt = True

    assert cast("Any", tracked("report.viewed")(view)).csrf_exempt is True


def test_view_called_without_the_middleware(ada: User, events: Events) -> None:
    """The request that the view got is enough to know the user: a test with a RequestFactory, say."""
    request = RequestFactory().get("/report/")
    request.user = ada

    views.report(request)

    assert events() == [{"event": {"name": "report.viewed"}, "usr": {"id": str(ada.pk)}}]


def test_class_is_refused_with_the_way_to_do_it() -> None:
    """It would be called once per server, not once per request."""
    with pytest.raises(TypeError, match="method_decorator"):
        tracked("report.viewed")(views.MethodView)


def test_name_is_required() -> None:
    """`@tracked` without one is a mistake that would otherwise show late."""
    with pytest.raises(TypeError, match="name of an event"):
        tracked(views.report)  # type: ignore[arg-type]  # the mistake
