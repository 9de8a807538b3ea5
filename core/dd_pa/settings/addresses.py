"""Where events go and queries are answered: by site, or at an address that the settings name; which addresses may be.

The sites' hosts are the dash form of Datadog's own OpenAPI description of `POST /api/v2/prodlytics` (datadog-api-client
2.62.0, which withdrew the dot form in 2026-03); the same description says which sites have no such intake.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from dd_pa.errors import SettingsError
from dd_pa.settings.checks import VISIBLE_ASCII

INTAKE_HOSTS = {
    "datadoghq.com": "browser-intake-datadoghq.com",
    "us3.datadoghq.com": "browser-intake-us3-datadoghq.com",
    "us5.datadoghq.com": "browser-intake-us5-datadoghq.com",
    "ap1.datadoghq.com": "browser-intake-ap1-datadoghq.com",
    "ap2.datadoghq.com": "browser-intake-ap2-datadoghq.com",
    "datadoghq.eu": "browser-intake-datadoghq.eu",
}
WITHOUT_INTAKE = ("ddog-gov.com", "us2.ddog-gov.com", "uk1.datadoghq.com")

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?|[0-9a-f.]*:[0-9a-f:.]+")
_ORIGIN_FIX = "give an origin such as https://intake.example.com or http://127.0.0.1:8994"


def intake(url: str | None, site: str) -> str:
    if url is not None:
        return _origin("INTAKE_URL", url)
    try:
        return site_intake(site)
    except ValueError as error:
        raise SettingsError("SITE", str(error)) from None


def api(url: str | None, intake_url: str | None, site: str) -> str:
    """Return the origin that answers queries.

    An intake on this machine is taken for the emulator, which answers too; a relay elsewhere need not.
    """
    if url is not None:
        return _origin("API_URL", url)
    if intake_url is not None:
        origin = _origin("INTAKE_URL", intake_url)
        if is_local(origin):
            return origin
    try:
        return site_api(site)
    except ValueError as error:
        raise SettingsError("SITE", str(error)) from None


def _origin(key: str, url: str) -> str:
    parts = split_url(key, url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(key, f"is not an http(s) address; {_ORIGIN_FIX}")
    if "@" in parts.netloc or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise SettingsError(key, f"must have no user, path, query or fragment; {_ORIGIN_FIX}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    origin = host if parts.port is None else f"{host}:{parts.port}"
    if not _HOST.fullmatch(parts.hostname) or origin != parts.netloc.lower().removesuffix(":"):
        raise SettingsError(key, f"has no valid host name; {_ORIGIN_FIX}")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise SettingsError(key, "would send the API key in clear; use https, or http on this machine only")
    return f"{parts.scheme}://{origin}"


def is_local(origin: str) -> bool:
    """Tell whether an origin is on this machine."""
    return is_loopback(urlsplit(origin).hostname or "")


def split_url(key: str, url: str) -> SplitResult:
    """Return the parts of an address, its port checked; the error never quotes it, as it may hold a password."""
    if not VISIBLE_ASCII.fullmatch(url):
        raise SettingsError(key, "has a blank, control or non-ASCII character")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise SettingsError(key, "is not an address; check its brackets and its port") from None
    return parts


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine, without asking a resolver."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxy(url: str | None) -> None:
    if url is None:
        return
    parts = split_url("PROXY", url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError("PROXY", "is not an http(s) address; give one such as http://proxy.example.com:3128")


def site_intake(site: str) -> str:
    """Return the intake's origin for a Datadog site; raise `ValueError` with the reason and the fix."""
    if site in INTAKE_HOSTS:
        return f"https://{INTAKE_HOSTS[site]}"
    if site in WITHOUT_INTAKE:
        raise ValueError(f"Datadog takes no Product Analytics server events on {site}; set ENABLED to false there")
    known = ", ".join(INTAKE_HOSTS)
    raise ValueError(f"{site[:100]!r} is not a Datadog site with Product Analytics; use one of {known}")


def site_api(site: str) -> str:
    """Return the origin of a Datadog site's API; raise `ValueError` for a site that Datadog does not have."""
    if site in INTAKE_HOSTS or site in WITHOUT_INTAKE:
        return f"https://api.{site}"
    known = ", ".join((*INTAKE_HOSTS, *WITHOUT_INTAKE))
    raise ValueError(f"{site[:100]!r} is not a Datadog site; use one of {known}")
