from __future__ import annotations

from django.apps import AppConfig


class ProductAnalyticsConfig(AppConfig):
    name = "dd_pa_django"
    label = "dd_pa"
    verbose_name = "Product Analytics"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.core.checks import register

        from dd_pa_django.checks import check_settings
        from dd_pa_django.fallback import check_session_fallback

        register(check_settings)
        register(check_session_fallback)
