"""One visit to a shop, as its browser and its server tell it."""

from __future__ import annotations

import time
from typing import Any

import httpx

from tests.emulator import browser
from tests.emulator.browser import SESSION, line

SHOP = "http://shop.test"
TRACE = "15573071988746209324"
TRACE_IN_HEX = f"{int(TRACE):032x}"
MS = 1_000_000


class Journey:
    """Sends to an emulator; times are milliseconds since the visit began."""

    def __init__(self, url: str, *, ago: float = 600.0) -> None:
        self.start = int((time.time() - ago) * 1000)
        self._http = httpx.Client(base_url=url, timeout=20, headers={"dd-api-key": "a" * 32})
        self._view = ""

    def page(
        self, at: int, path: str, *, answered: int = 80, version: int = 2, host: str = SHOP, **members: Any
    ) -> None:
        """A page that was loaded, and answered after so many milliseconds."""
        self._view = f"view-{at}"
        view = {
            "id": self._view, "url": f"{host}{path}", "loading_type": "initial_load", "is_active": False,
            "time_spent": 2_000 * MS, "first_byte": answered * MS, "largest_contentful_paint": 300 * MS,
        }  # fmt: skip
        self._browser(line("view", self.start + at, **{"_dd": {"document_version": version}, "view": view, **members}))

    def document(self, at: int, *, redirected: int) -> None:
        """How the page was loaded, after a redirect."""
        parts = {"first_byte": {"start": redirected * MS, "duration": 40 * MS}}
        redirect = {"start": 5 * MS, "duration": (redirected - 5) * MS}
        resource = {
            "type": "document",
            "url": SHOP,
            "status_code": 200,
            "duration": 90 * MS,
            "redirect": redirect,
            **parts,
        }
        self._browser(self._here("resource", at, resource=resource))

    def click(self, at: int, name: str, *, selector: str = "MAIN>FORM>BUTTON.go", action: str = "") -> None:
        """A click on something."""
        what = {"id": action or f"action-{at}", "type": "click", "target": {"name": name}, "loading_time": 9 * MS}
        internal = {"action": {"target": {"selector": selector}}}
        self._browser(self._here("action", at, action=what, _dd=internal))

    def request(self, at: int, *, action: str) -> None:
        """A request of the page's script, made by an action, with a trace."""
        resource = {
            "type": "fetch",
            "method": "POST",
            "url": f"{SHOP}/api/pay",
            "status_code": 402,
            "duration": 40 * MS,
        }
        self._browser(self._here("resource", at, resource=resource, action={"id": action}, _dd={"trace_id": TRACE}))

    def error(self, at: int, message: str) -> None:
        """An error of the page's script."""
        error = {"message": message, "type": "TypeError", "source": "source", "handling": "unhandled"}
        stack = f"TypeError: {message}\n  at pay @ {SHOP}/static/checkout.js:118:7"
        self._browser(self._here("error", at, error={**error, "stack": stack}))

    def server(self, at: int, name: str, **members: Any) -> None:
        """An event of the server."""
        fixed = {"type": "server", "application": {"id": "demo"}, "event": {"name": name}, "session": {"id": SESSION}}
        told = {"dd_pa": {"event_id": f"event-{at}-{name}", "occurred_at": self.start + at}}
        answer = self._http.post("/api/v2/prodlytics", json={**fixed, **told, **members})
        assert answer.status_code == 202, answer.text

    def _here(self, kind: str, at: int, **members: Any) -> dict[str, Any]:
        return line(kind, self.start + at, **{"view": {"id": self._view, "url": SHOP}, **members})

    def _browser(self, event: dict[str, Any]) -> None:
        assert browser.send(self._http, event).status_code == 202

    def close(self) -> None:
        self._http.close()


def buy(url: str, **when: Any) -> Journey:
    """Somebody looks at a shoe, signs in, and cannot pay; the order is cancelled by a job, minutes later."""
    journey = Journey(url, **when)
    user: dict[str, Any] = {"usr": {"id": "user-12345"}, "account": {"id": "acme"}}
    journey.page(0, "/", version=3)
    journey.click(3_000, "Running shoes", selector="MAIN>UL>LI>A")
    journey.page(3_050, "/products/SHOE-44")
    journey.server(3_100, "product.viewed", product={"sku": "SHOE-44", "price": 89})
    journey.click(9_000, "Sign in")
    journey.page(9_020, "/checkout", answered=340, **user)
    journey.document(9_020, redirected=300)
    journey.server(9_200, "user.signed_in", **user)
    journey.server(9_340, "checkout.started", **user, order={"id": "o-4711"})
    journey.click(20_000, "Pay €89.00", action="pay")
    journey.request(20_010, action="pay")
    journey.server(21_900, "payment.failed", **user, dd={"trace_id": TRACE_IN_HEX}, payment={"code": "card_declined"})
    journey.error(22_000, "no receipt")
    journey.server(242_000, "order.cancelled", **user, job={"name": "orders.cancel", "queue": "low"})
    return journey
