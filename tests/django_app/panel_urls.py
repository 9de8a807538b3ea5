"""The test project with django-debug-toolbar. Imported only where that is installed, as it has a model."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from tests.django_app.panel_views import VIEWS
from tests.django_app.urls import urlpatterns as project_urls

urlpatterns: list[URLPattern | URLResolver] = [path(f"panel/{view.__name__}/", view) for view in VIEWS]
urlpatterns += [path("__debug__/", include("debug_toolbar.urls")), *project_urls]
