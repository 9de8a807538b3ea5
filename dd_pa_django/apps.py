from __future__ import annotations

from typing import Any

from django.apps import AppConfig


class ProductAnalyticsConfig(AppConfig):
    name = "dd_pa_django"
    label = "dd_pa"
    verbose_name = "Product Analytics"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.core.signals import setting_changed

        from dd_pa_django.checks import register_all
        from dd_pa_django.handover import watch_connections

        register_all()
        watch_connections()
        setting_changed.connect(_connect_auth_events, dispatch_uid="dd_pa_django.auth_events")
        _connect_auth_events(setting="DD_PA")


def _connect_auth_events(*, setting: str, **kwargs: Any) -> None:
    """Listen to sign-ins if `AUTH_EVENTS` asks for it, now or in a test that overrides the settings."""
    from dd_pa_django.configuration import asks_for_auth_events

    if setting == "DD_PA" and asks_for_auth_events():
        from dd_pa_django.auth_events import connect

        connect()
