from __future__ import annotations

from importlib.metadata import version

from dd_pa.errors import SettingsError
from dd_pa.settings import addresses, secrets
from dd_pa.settings.secrets import Secret
from dd_pa.settings.settings import Settings

LOCAL_KEY = Secret("local")
"""What an API on this machine gets where a key is not set: the emulator takes any."""

SHORTEST_KEY = 8


class Access:
    """Where queries go, and the headers that let them in. Checked here, as an application that only sends needs none.

    It holds also where `ENABLED` is false, which turns the events off. Raises `SettingsError`.
    """

    def __init__(self, settings: Settings) -> None:
        self.url = addresses.api(settings.api_url, settings.intake_url, settings.site)
        self._keys = _keys(settings, is_local=addresses.is_local(self.url))

    def headers(self) -> dict[str, str]:
        """Return the headers with the keys in clear; do not keep them."""
        return {
            **{name: f"{prefix}{key.reveal()}" for name, (prefix, key) in self._keys.items()},
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": f"dd-pa/{version('dd-pa')}",
        }

    def masked(self, text: str) -> str:
        """Return a text without the keys, which an error page may echo. Short ones are no real keys, but words."""
        for _, key in self._keys.values():
            text = text.replace(key.reveal(), "***") if len(key.reveal()) >= SHORTEST_KEY else text
        return text


def _keys(settings: Settings, *, is_local: bool) -> dict[str, tuple[str, Secret]]:
    bearer, app_key, api_key = map(_given, (settings.bearer_token, settings.app_key, settings.api_key))
    if bearer is not None:
        return {"Authorization": ("Bearer ", secrets.clean("BEARER_TOKEN", bearer))}
    if is_local:
        app_key, api_key = app_key or LOCAL_KEY, api_key or LOCAL_KEY
    if app_key is None:
        raise SettingsError("APP_KEY", "is missing; queries need an application key with the scope rum_apps_read")
    return {
        "DD-API-KEY": ("", secrets.api_key(api_key)),
        "DD-APPLICATION-KEY": ("", secrets.clean("APP_KEY", app_key)),
    }


def _given(key: str | Secret | None) -> Secret | None:
    found = secrets.masked(key)
    return found if found is not None and found.reveal() else None
