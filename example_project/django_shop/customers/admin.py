from __future__ import annotations

from django.contrib import admin

from example_project.django_shop.customers.models import Company, Membership


@admin.register(Company)
class CompanyAdmin(admin.ModelAdmin):
    list_display = ("name", "handle", "created_at")
    search_fields = ("name", "handle")


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):
    list_display = ("user", "company")
    list_select_related = ("user", "company")
