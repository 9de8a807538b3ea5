from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from tests.django_app.orders.models import Order


def renames_me(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        user = User.objects.get(username=request.user.get_username())
        user.first_name = "Ada"
        user.save()
    return HttpResponse("done")


async def places_order_async(request: HttpRequest) -> HttpResponse:
    await Order.objects.acreate()
    return HttpResponse("done")
