from __future__ import annotations

from django.apps import AppConfig


class CatalogueConfig(AppConfig):
    name = "example_project.django_shop.catalogue"
