from __future__ import annotations

from django.contrib import admin

from example_project.django_shop.catalogue.models import Product


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
    list_display = ("name", "category", "price", "stock")
    list_editable = ("stock",)
    list_filter = ("category",)
    search_fields = ("name", "summary")
