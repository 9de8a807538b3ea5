"""The pages of both sites: what a visitor can do there, and whom the page's script asks."""

from __future__ import annotations

from html import escape
from pathlib import Path

CONSENT_COOKIE = "analytics"
SDK_PATH = "/sdk.js"
SDK_COOKIE = "sdk"
"""Names the version of the SDK that a visitor's pages get."""

_ROOT = Path(__file__).parents[2]
_SDKS = {
    "v6": _ROOT / "tests/browser/sdk/datadog-rum-v6.js",
    "v7": _ROOT / "example_project/look/static/look/vendor/datadog-rum-v7.js",
}

CLIENT_TOKEN = "pub0123456789abcdef0123456789abcdef"
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "baggage, traceparent, tracestate, x-datadog-origin, x-datadog-parent-id, "
    "x-datadog-sampling-priority, x-datadog-trace-id",
}

SCRIPT = """
for (const button of document.querySelectorAll("[data-ask]")) {
  button.addEventListener("click", async () => {
    const answer = await fetch(button.dataset.ask, { method: "POST", credentials: button.dataset.credentials });
    document.querySelector("output").textContent = await answer.text();
  });
}
"""


def page(scripts: str, name: str, other: str) -> str:
    """Return a page whose scripts start the SDK; `other` is the origin of the other site."""
    name, other = escape(name), escape(other)
    return f"""<!doctype html><html lang="en"><head><title>{name}</title>{scripts}</head><body>
    <h1>{name}</h1><output></output>
    <form method="post" action="/act?name=form"><button>Send the form</button></form>
    <form method="post" action="/sign-in"><button>Sign in</button></form>
    <form method="post" action="/sign-out"><button>Sign out</button></form>
    <a href="/page?name=next">Next page</a>
    <button data-ask="/api/act?name=asked" data-credentials="same-origin">Ask this site</button>
    <button data-ask="{other}/api/act?name=asked-elsewhere" data-credentials="omit">Ask the other site</button>
    <script>{SCRIPT}</script></body></html>"""


def sdk(version: str) -> bytes:
    """Return Datadog's SDK, as npm has it."""
    return _SDKS[version].read_bytes()


def outside(target: str) -> str:
    """Return a page of somebody else, with a link to a site."""
    return f'<!doctype html><html lang="en"><title>elsewhere</title><a href="{escape(target)}">Go there</a></html>'
