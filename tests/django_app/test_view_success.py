"""What counts as "the view did what it says": refusals, forms, pages that fail to render, answers of APIs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
import strawberry
from django import forms
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required, permission_required, user_passes_test
from django.contrib.auth.mixins import LoginRequiredMixin, PermissionRequiredMixin, UserPassesTestMixin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import FormView, TemplateView, View
from ninja import NinjaAPI, Status
from strawberry.django.views import AsyncGraphQLView, GraphQLView

from dd_pa.testing import capture_events
from dd_pa_django import form_accepted, tracked

VISITOR = {"baggage": "session.id=2b1b778e-9ef6-45d6-89b8-e68ca6ceb436"}
seen = tracked("report.viewed")


def _ok(request: HttpRequest, **_: Any) -> HttpResponse:
    return HttpResponse("report")


class _Page(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("report")


def _class(*mixins: type, **values: Any) -> Any:
    page: Any = type("Page", (*mixins, _Page), values)
    return method_decorator(seen, name="dispatch")(page).as_view()


REFUSING: dict[str, Any] = {
    "login-required-inside": seen(login_required(_ok)),
    "login-required-outside": login_required(seen(_ok)),
    "another-parameter": seen(login_required(_ok, redirect_field_name="continue")),
    "another-login": seen(login_required(_ok, login_url="/elsewhere/sign-in/")),
    "login-on-another-host": seen(login_required(_ok, login_url="https://sso.example.com/sign-in")),
    "test": seen(user_passes_test(lambda user: user.is_authenticated)(_ok)),
    "permission": seen(permission_required("auth.add_user", raise_exception=False)(_ok)),
    "mixin": _class(LoginRequiredMixin),
    "permission-mixin": _class(PermissionRequiredMixin, permission_required="auth.add_user", raise_exception=True),
    "test-mixin": _class(UserPassesTestMixin, test_func=lambda self: self.request.user.is_authenticated),
    "htmx": seen(lambda request: HttpResponse(headers={"HX-Redirect": f"/accounts/login/?next={request.path}"})),
    "whatever-the-condition": tracked("report.viewed", when=lambda request, response: True)(login_required(_ok)),
}


class NameForm(forms.Form):
    name = forms.CharField()

    def clean_name(self) -> str:
        if self.cleaned_data["name"] == "taken":
            raise forms.ValidationError("taken")
        return str(self.cleaned_data["name"])


@method_decorator(tracked("form.sent", when=form_accepted), name="dispatch")
class FormPage(FormView):  # type: ignore[type-arg] # not subscriptable when it runs
    form_class, template_name, success_url = NameForm, "form.html", "/thanks/"


class ValidFormPage(FormView):  # type: ignore[type-arg] # not subscriptable when it runs
    form_class, template_name, success_url = NameForm, "form.html", "/thanks/"

    @tracked("form.sent", attributes=lambda request, response: {"path": request.path})
    def form_valid(self, form: NameForm) -> HttpResponse:
        return super().form_valid(form)


@tracked("user.signed_out")
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("/accounts/login/")


@tracked("user.signed_up")
def sign_up(request: HttpRequest) -> HttpResponse:
    return redirect("/accounts/login/?next=/welcome/")


@seen
def missing_template(request: HttpRequest) -> TemplateResponse:
    return TemplateResponse(request, "is-not-there.html")


@seen
async def missing_template_async(request: HttpRequest) -> TemplateResponse:
    return TemplateResponse(request, "is-not-there.html")


@method_decorator(seen, name="get")
class MissingTemplate(TemplateView):
    template_name = "is-not-there.html"


API = NinjaAPI(urls_namespace="view-success")


@API.get("/report")
@tracked("report.viewed", attributes=lambda request, response: {"rows": len(response)})
def report(request: HttpRequest) -> list[int]:
    return [1, 2]


@API.get("/refused", response={200: str, 409: str})
@tracked("report.viewed")
def refused(request: HttpRequest) -> Any:
    return Status(409, "no")


@API.get("/async")
@tracked("report.viewed")
async def async_report(request: HttpRequest) -> dict[str, int]:
    return {"rows": 2}


@strawberry.type
class Query:
    @strawberry.field
    @tracked("order.looked_up", attributes=lambda request, order: {"order": order, "path": request.path})
    def order(self, info: strawberry.Info, number: int) -> str:
        if number < 0:
            raise ValueError("no such order")
        return f"order {number}"

    @strawberry.field
    @tracked("order.looked_up")
    async def async_order(self, number: int) -> str:
        return f"order {number}"


@pytest.fixture(autouse=True)
def _site() -> Iterator[None]:
    urls: Any = ModuleType("view_success_urls")
    urls.urlpatterns = [path(f"{name}/", view) for name, view in REFUSING.items()] + [
        path("form/", FormPage.as_view()),
        path("valid-form/", ValidFormPage.as_view()),
        path("sign-out/", sign_out),
        path("sign-up/", sign_up),
        path("odd/", seen(lambda request: HttpResponseRedirect("/x?next=http://[bad"))),
        path("missing/", missing_template),
        path("missing-async/", missing_template_async),
        path("missing-class/", MissingTemplate.as_view()),
        path("api/", API.urls),
        path("graphql/", csrf_exempt(GraphQLView.as_view(schema=strawberry.Schema(Query)))),
        path("async-graphql/", csrf_exempt(AsyncGraphQLView.as_view(schema=strawberry.Schema(Query)))),
    ]
    loaders = [("django.template.loaders.locmem.Loader", {"form.html": "{{ form.errors }}"})]
    templates = {"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {"loaders": loaders}}
    with override_settings(ROOT_URLCONF=urls, TEMPLATES=[templates]):
        yield


def fired(visit: Callable[[], Any]) -> list[str]:
    with capture_events() as events:
        visit()
    return events.names


@pytest.mark.parametrize("name", [name for name in REFUSING if name not in ("htmx", "permission", "permission-mixin")])
def test_only_who_is_let_in_has_seen_it(ada_client: Client, name: str) -> None:
    """Whoever refuses, and in whichever order: a visitor who is sent to the login page has not seen the page."""
    assert fired(lambda: Client().get(f"/{name}/", {"page": "2"}, headers=VISITOR)) == []
    assert fired(lambda: ada_client.get(f"/{name}/")) == ["report.viewed"]


@pytest.mark.parametrize("name", REFUSING)
@pytest.mark.asyncio
async def test_refusals_under_asgi(name: str) -> None:
    """The same on an async server."""
    with capture_events() as events:
        await AsyncClient().get(f"/{name}/", headers=VISITOR)

    assert events.names == []


@pytest.mark.parametrize("page", ["form", "valid-form"])
@pytest.mark.parametrize(
    ("method", "data", "names"),
    [
        pytest.param("get", {}, [], id="empty form"),
        pytest.param("post", {"name": "taken"}, [], id="invalid"),
        pytest.param("post", {"name": "new"}, ["form.sent"], id="valid"),
    ],
)
def test_form_fires_when_it_is_accepted(
    ada_client: Client, page: str, method: str, data: dict[str, str], names: list[str]
) -> None:
    """The two recipes of docs/django.md."""
    assert fired(lambda: getattr(ada_client, method)(f"/{page}/", data)) == names


@pytest.mark.parametrize(("name", "event"), [("sign-out", "user.signed_out"), ("sign-up", "user.signed_up")])
def test_login_page_may_be_where_a_success_leads(ada_client: Client, name: str, event: str) -> None:
    """Only a redirect that wants the visitor back at this very page is a refusal."""
    assert fired(lambda: ada_client.get(f"/{name}/", headers=VISITOR)) == [event]


@pytest.mark.parametrize("name", ["missing", "missing-async", "missing-class"])
def test_page_that_fails_to_render_was_not_seen(ada: User, name: str) -> None:
    """A template that is missing makes a 500 of the answer, after the view has returned."""
    client = Client(raise_request_exception=False)
    client.force_login(ada)

    assert fired(lambda: client.get(f"/{name}/")) == []


@pytest.mark.parametrize(
    ("name", "names"), [("report", ["report.viewed"]), ("refused", []), ("async", ["report.viewed"])]
)
def test_operation_of_an_api(ada_client: Client, name: str, names: list[str]) -> None:
    """Of django-ninja: it returns values, or a pair of status and value."""
    assert fired(lambda: ada_client.get(f"/api/{name}")) == names


@pytest.mark.parametrize(
    ("address", "query", "names"),
    [
        ("/graphql/", "{ order(number: 7) }", ["order.looked_up"]),
        ("/graphql/", "{ a: order(number: 7) b: order(number: 8) }", ["order.looked_up"] * 2),
        ("/graphql/", "{ order(number: -1) }", []),
        ("/async-graphql/", "{ a: asyncOrder(number: 7) b: asyncOrder(number: 8) }", ["order.looked_up"] * 2),
    ],
)
def test_resolver_of_a_schema(ada_client: Client, address: str, query: str, names: list[str]) -> None:
    """Of GraphQL: each call that returns is a success, whatever the status of the answer."""
    seen = fired(lambda: ada_client.post(address, {"query": query}, content_type="application/json"))

    assert seen == names


def test_address_that_cannot_be_read_is_no_login_page(ada_client: Client) -> None:
    """The redirect of the view is what it is, and a success."""
    assert fired(lambda: ada_client.get("/odd/")) == ["report.viewed"]
