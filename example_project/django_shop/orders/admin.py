from __future__ import annotations

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from example_project.django_shop.orders.models import Order, OrderLine


class OrderLineInline(admin.TabularInline):
    model = OrderLine
    extra = 0


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ("number", "company", "status", "total", "currency", "placed_at")
    list_filter = ("status",)
    list_select_related = ("company",)
    inlines = (OrderLineInline,)
    actions = ("ship",)

    @admin.action(description="Mark as shipped", permissions=["change"])
    def ship(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        """Nothing of analytics here: that an order is shipped is declared on the model."""
        with transaction.atomic():
            shipped = queryset.filter(status=Order.Status.PAID).update(status=Order.Status.SHIPPED)
        self.message_user(request, f"{shipped} shipped.", messages.SUCCESS)
