"""The shop of the sample: what it sells, who comes by what, and when its releases went out."""

from __future__ import annotations

import math
from dataclasses import dataclass

APPLICATION = "5a3b1c70-0d11-4e0a-9f5e-1c0ffee00d05"
SERVICE = "shop"
ENV = "sample"
HOST = "https://shop.example"
DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Product:
    """Something that is sold."""

    slug: str
    category: str
    price: float
    appeal: float
    """How much likelier than another it is put into the cart."""

    @property
    def title(self) -> str:
        """Return its name as its page says it."""
        return self.slug.replace("-", " ").capitalize()


PRODUCTS = (
    Product("arc-desk-lamp", "lighting", 89.0, 1.1),
    Product("paper-lantern", "lighting", 24.0, 1.3),
    Product("quiet-headphones", "desk", 229.0, 0.7),
    Product("oak-monitor-stand", "desk", 64.0, 1.0),
    Product("felt-desk-mat", "desk", 39.0, 1.4),
    Product("garden-teapot", "kitchen", 48.0, 1.2),
    Product("cast-iron-pan", "kitchen", 72.0, 0.9),
    Product("linen-apron", "kitchen", 35.0, 1.0),
    Product("wool-blanket", "home", 119.0, 0.8),
    Product("cedar-candle", "home", 18.0, 1.6),
)
POPULARITY = tuple(1 / (rank + 2) for rank in range(len(PRODUCTS)))
TERMS = ("lamp", "gift", "teapot", "headphones", "blanket", "desk", "candle")


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser, and how patient whoever uses it is with a checkout."""

    device: str
    agent: str
    patience: float


_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
BROWSERS = (
    Browser("Desktop", f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/142.0.0.0 Safari/537.36", 1.0),
    Browser("Desktop", f"Mozilla/5.0 (X11; Linux x86_64) {_WEBKIT} Chrome/142.0.0.0 Safari/537.36", 1.0),
    Browser("Desktop", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0", 1.05),
    Browser(
        "Mobile", f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {_WEBKIT} Chrome/142.0.0.0 Mobile Safari/537.36", 0.75
    ),
    Browser(
        "Mobile",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.6 Mobile/15E148 Safari/604.1",
        0.8,
    ),
)
BROWSER_SHARES = (30, 8, 12, 26, 24)
COUNTRIES = (("Germany", "DE"), ("France", "FR"), ("Netherlands", "NL"), ("Spain", "ES"), ("United Kingdom", "GB"))
COUNTRY_SHARES = (38, 20, 14, 12, 16)
CHANNELS = ("direct", "search", "newsletter", "social", "ads")
CHANNEL_SHARES = (30, 34, 14, 12, 10)
PLANS = ("free", "team", "business")
PLAN_SHARES = (55, 33, 12)

HOURS = tuple(
    0.15 + math.exp(-(((hour - 12.5) / 4.0) ** 2)) + 1.3 * math.exp(-(((hour - 20) / 2.2) ** 2)) for hour in range(24)
)
"""How busy each hour of a day is, UTC."""
WEEK = (1.0, 0.96, 0.98, 1.0, 1.05, 1.3, 1.38)
"""How busy each day of a week is, from Monday."""


@dataclass(frozen=True, slots=True)
class Release:
    """A version that went out."""

    day: int
    """When, counted from the beginning of the last thirty days, from 1."""
    version: str
    pays: float
    """The share of payments that work."""
    breaks: float
    """The share of checkout pages on which a script fails."""


_RELEASES = (
    Release(-10_000, "2.6.3", 0.90, 0.01),
    Release(8, "2.7.0", 0.91, 0.01),
    Release(20, "2.8.0", 0.38, 0.45),
    Release(22, "2.8.1", 0.92, 0.008),
)
"""The third is the bad one."""


def release_at(ts: int, end: int) -> Release:
    """Return the version that was out at a time; releases go out at 10:00 UTC."""
    first = end // DAY_MS - 29
    return next(one for one in reversed(_RELEASES) if ts >= (first + one.day - 1) * DAY_MS + 10 * 3_600_000)
