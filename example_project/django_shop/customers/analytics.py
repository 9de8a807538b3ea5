"""What Product Analytics may know about a customer besides the primary key: the company."""

from __future__ import annotations

from django.http import HttpRequest

from example_project.django_shop.customers.models import Company


def company_of(request: HttpRequest) -> str | None:
    """Name the account of the signed-in user; `DD_PA["ACCOUNT_ID"]` points here."""
    if not request.user.is_authenticated:
        return None
    return Company.objects.filter(memberships__user=request.user).values_list("handle", flat=True).first()
