"""What a page tells Datadog's browser SDK: the RUM application, and the same user and account as the events name.

The glue of a framework renders it as one JSON script, and beside it the SDK and the static script that reads it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from dd_pa.capture.person import Identity, Traits
from dd_pa.settings.settings import Settings

ELEMENT_ID = "dd-pa-rum"
"""Id of the JSON script, by which the static script finds it."""

_CDN = "https://www.datadoghq-browser-agent.com"
_CDN_FOLDERS = {
    "datadoghq.com": "us1",
    "us3.datadoghq.com": "us3",
    "us5.datadoghq.com": "us5",
    "ap1.datadoghq.com": "ap1",
    "ap2.datadoghq.com": "ap2",
    "datadoghq.eu": "eu1",
}


def sdk_url(settings: Settings) -> str:
    """Return where the page loads the SDK from."""
    if settings.rum_sdk_url is not None:
        return settings.rum_sdk_url
    folder, version = _CDN_FOLDERS.get(settings.site), settings.rum_sdk_version
    return f"{_CDN}/{folder}/{version}/datadog-rum.js" if folder else f"{_CDN}/datadog-rum-{version}.js"


def unknown_visitor(settings: Settings) -> Identity:
    """Return who looks at a page that is made outside of a request, or whose headers cannot be changed any more."""
    return Identity(consent=False if _asks_consent(settings) else None)


def page_setup(settings: Settings, identity: Identity) -> dict[str, Any]:
    """Return what the static script reads: `init` for `DD_RUM.init()`, `user` and `account` where they are known.

    The SDK is told to collect nothing without consent, and to go on with one if CONSENT has given it.
    """
    usual = {"service": settings.service, "env": settings.env, "version": settings.version}
    init = {
        "applicationId": settings.application_id,
        "clientToken": settings.client_token,
        "site": settings.site,
        "sessionSampleRate": settings.rum_session_sample_rate,
        **{key: value for key, value in usual.items() if value is not None},
        **(settings.rum_options or {}),
    }
    if identity.consent is False:
        init["trackingConsent"] = "not-granted"
    elif settings.consent is not None:
        init["trackingConsent"] = "granted"
    traits = identity.traits or Traits()
    people = {"user": (identity.usr, traits.usr), "account": (identity.account, traits.account)}
    named = {name: {"id": key, **_members(known)} for name, (key, known) in people.items() if key is not None}
    return {"init": init, **named}


def _members(known: bytes) -> dict[str, Any]:
    return dict(msgspec.json.decode(b"{%b}" % known))


def is_personal(settings: Settings, identity: Identity) -> bool:
    """Tell whether a page is one visitor's: it names somebody, or says whether they agree."""
    return identity.usr is not None or identity.account is not None or _asks_consent(settings)


def _asks_consent(settings: Settings) -> bool:
    return settings.consent is not None or settings.respect_gpc
