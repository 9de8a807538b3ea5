"""Where each Datadog site takes Product Analytics server events, and where it answers queries.

The hosts are the dash form of Datadog's own OpenAPI description of `POST /api/v2/prodlytics` (datadog-api-client
2.62.0, which withdrew the dot form in 2026-03); the same description says which sites have no such intake.
"""

from __future__ import annotations

INTAKE_HOSTS = {
    "datadoghq.com": "browser-intake-datadoghq.com",
    "us3.datadoghq.com": "browser-intake-us3-datadoghq.com",
    "us5.datadoghq.com": "browser-intake-us5-datadoghq.com",
    "ap1.datadoghq.com": "browser-intake-ap1-datadoghq.com",
    "ap2.datadoghq.com": "browser-intake-ap2-datadoghq.com",
    "datadoghq.eu": "browser-intake-datadoghq.eu",
}
WITHOUT_INTAKE = ("ddog-gov.com", "us2.ddog-gov.com", "uk1.datadoghq.com")


def intake_url(site: str) -> str:
    """Return the intake's origin for a Datadog site; raise `ValueError` with the reason and the fix."""
    if site in INTAKE_HOSTS:
        return f"https://{INTAKE_HOSTS[site]}"
    if site in WITHOUT_INTAKE:
        raise ValueError(f"Datadog takes no Product Analytics server events on {site}; set ENABLED to false there")
    known = ", ".join(INTAKE_HOSTS)
    raise ValueError(f"{site[:100]!r} is not a Datadog site with Product Analytics; use one of {known}")


def api_url(site: str) -> str:
    """Return the origin of a Datadog site's API; raise `ValueError` for a site that Datadog does not have."""
    if site in INTAKE_HOSTS or site in WITHOUT_INTAKE:
        return f"https://api.{site}"
    known = ", ".join((*INTAKE_HOSTS, *WITHOUT_INTAKE))
    raise ValueError(f"{site[:100]!r} is not a Datadog site; use one of {known}")
