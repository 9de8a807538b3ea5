from __future__ import annotations

from django.contrib import admin

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
