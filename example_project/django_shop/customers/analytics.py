"""What Product Analytics may know about a customer: two ids, the same on the server and in the browser."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from example_project.django_shop.customers.models import Company


def company_of(request: HttpRequest) -> str | None:
    """Name the account of the signed-in user; `DD_PA["ACCOUNT_ID"]` points here."""
    if not request.user.is_authenticated:
        return None
    return Company.objects.filter(memberships__user=request.user).values_list("handle", flat=True).first()


def browser(request: HttpRequest) -> dict[str, Any]:
    """Give the page what it tells the browser SDK (`setUser`, `setAccount`), as the context variable `rum`."""
    user = request.user
    return {
        "rum_bundle": settings.RUM_BUNDLE,
        "rum": {
            "applicationId": settings.DD_PA["APPLICATION_ID"],
            "clientToken": settings.RUM_CLIENT_TOKEN,
            "service": settings.DD_PA["SERVICE"],
            "usr": str(user.pk) if user.is_authenticated else None,
            "account": company_of(request),
        },
    }
