"""Sign-up, sign-in, sign-out. The last two are events by `AUTH_EVENTS`, in the admin too."""

from __future__ import annotations

from django.contrib.auth import login, logout
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from dd_pa_django import track
from example_project.django_shop.customers.events import SignedUp, SignUp
from example_project.django_shop.customers.forms import SignInForm, SignUpForm


@require_http_methods(["GET", "POST"])
def sign_up(request: HttpRequest) -> HttpResponse:
    form = SignUpForm(request.POST or None)
    if not form.is_valid():
        status = 422 if form.is_bound else 200
        return render(request, "customers/sign_up.html", {"form": form, "next": next_page(request)}, status=status)
    login(request, form.save())
    track(SignedUp(sign_up=SignUp()))
    return redirect(next_page(request) or "catalogue")


class SignIn(LoginView):
    template_name = "customers/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("catalogue")


def next_page(request: HttpRequest) -> str:
    """Return where to go afterwards, if it is a page of this site."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    return wanted if url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}) else ""
