from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.metadata import version

from dd_pa.delivery.transport import is_secure
from dd_pa.doctor.finding import Finding
from dd_pa.process import hosts
from dd_pa.settings.settings import Settings

_PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


def examine_configuration(settings: Settings) -> Iterator[Finding]:
    """Say what the settings come to, and what of the surroundings is at odds with them."""
    if not settings.enabled:
        yield Finding(state="warning", subject="ENABLED", text="is off: nothing is built, stored or sent")
        return
    yield Finding(state="ok", subject="settings", text=_summary(settings))
    yield from _proxy(settings)
    advice: list[str] = []
    hosts.advise(lambda _, text: advice.append(text))
    yield from (Finding(state="warning", subject="server", text=text) for text in advice)


def _summary(settings: Settings) -> str:
    tags = (("service", settings.service), ("env", settings.env), ("version", settings.version))
    known = "".join(f", {name} {value}" for name, value in tags if value)
    mode = "strict" if settings.strict else "lenient"
    return f"application {settings.application_id} to {settings.intake_url}, {mode}{known}; dd-pa {version('dd-pa')}"


def _proxy(settings: Settings) -> Iterator[Finding]:
    found = [name for name in _PROXY_VARIABLES if os.environ.get(name)]
    if settings.proxy:
        yield Finding(state="ok", subject="PROXY", text="is set: delivery goes through it")
    elif found and is_secure(settings):
        fix = "set PROXY if the intake is reached through it only"
        yield Finding(
            state="note", subject="PROXY", text=f"is not set, and {found[0]} of the environment is not read", fix=fix
        )
