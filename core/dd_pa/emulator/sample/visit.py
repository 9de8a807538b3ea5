"""One visit to the shop of the sample: its pages, clicks and errors, and what the server tells beside them."""

from __future__ import annotations

from random import Random
from typing import Any

from dd_pa.emulator.sample import shop
from dd_pa.emulator.sample.people import Person, new_id
from dd_pa.emulator.warehouse.table_row import Event

_NANOSECONDS = 1_000_000


class Visit:
    """Tells what one person does, second by second; `events` is what browser and server send of it."""

    def __init__(self, rng: Random, person: Person, start: int, end: int) -> None:
        """`end` is the end of the history, by which releases are dated."""
        self.events: list[Event] = []
        self._rng = rng
        self._person = person
        self._now = start
        self._end = end
        self._release = shop.release_at(start, end)
        self._session = new_id(rng)
        self._known = False
        self._view: dict[str, Any] | None = None
        self._opened = start
        self._url = ""

    def play(self) -> list[Event]:
        """Let the visit happen; returns its events and those that follow from it later."""
        rng, person = self._rng, self._person
        self.page("/" if person.channel != "ads" else f"/products/{shop.PRODUCTS[0].slug}")
        if person.signed_up and rng.random() < 0.75:
            self.sign_in()
        if person.account and self._known and rng.random() < 0.45:
            self.manage()
        else:
            self.buy()
        self._leave()
        return self.events

    # What the person does.

    def sign_in(self) -> None:
        """Sign in, or sign up the first time."""
        new = not self._person.signed_up
        self.click("Sign up" if new else "Sign in")
        self.page("/sign-up" if new else "/sign-in")
        self.wait(9)
        if not new and self._rng.random() < 0.06:
            self.server("user.sign_in_failed")
            self.wait(8)
        self._known = self._person.signed_up = True
        if new:
            self.server("user.signed_up", sign_up={"method": "password", "channel": self._person.channel})
        self.server("user.signed_in")

    def manage(self) -> None:
        """Look after the company's plan."""
        rng, account = self._rng, self._person.account
        assert account is not None  # noqa: S101 - only people of a company do
        self.click("Team")
        self.page("/team")
        if rng.random() < 0.3:
            self.wait(12)
            self.server("seat.added", seats={"total": rng.randint(3, 40)})
        if rng.random() < 0.45:
            self.click("Plans")
            self.page("/pricing")
            self.server("pricing.viewed", plan={"current": account.plan})
            if account.plan != "business" and rng.random() < 0.34:
                self.click("Upgrade")
                self.page("/upgrade")
                self.server("upgrade.started", plan={"current": account.plan})
                self.wait(40)
                if rng.random() < (0.55 if account.plan == "free" else 0.3):
                    self.server("plan.changed", plan={"old": account.plan, "new": "business"}, revenue=29.0)

    def buy(self) -> None:
        """Look around; some put something into the cart, some of these pay."""
        rng = self._rng
        if rng.random() < 0.18:
            self.search()
        looked = min(7, 1 + int(rng.expovariate(0.75))) if rng.random() < 0.86 else 0
        cart: list[shop.Product] = []
        for product in rng.choices(shop.PRODUCTS, shop.POPULARITY, k=looked):
            self.look(product)
            if rng.random() < 0.2 * product.appeal * (1.25 if self._person.is_loyal else 1.0):
                cart.append(product)
                self.add(product, cart)
        if cart and rng.random() < 0.66:
            self.check_out(cart)

    def search(self) -> None:
        """Search for something."""
        term = self._rng.choice(shop.TERMS)
        self.click("Search")
        self.page(f"/search?q={term}", name="/search")
        self.server("product.searched", search={"term": term, "results": self._rng.randint(0, 9)})

    def look(self, product: shop.Product) -> None:
        """Look at a product."""
        self.click(product.title)
        self.page(f"/products/{product.slug}", name="/products/?")
        self.server("product.viewed", product=_told(product))
        self.wait(25)

    def add(self, product: shop.Product, cart: list[shop.Product]) -> None:
        """Put it into the cart."""
        self.click("Add to cart")
        self.server("cart.item_added", product={**_told(product), "quantity": 1}, cart=_cart(cart))

    def check_out(self, cart: list[shop.Product]) -> None:
        """Go to the checkout, and pay or not."""
        rng, person = self._rng, self._person
        self.click("Checkout")
        self.page("/basket")
        if not self._known:
            if rng.random() < 0.3:
                return
            self.sign_in()
        self.page("/checkout")
        self.server("checkout.started", cart=_cart(cart), experiment={"checkout": person.experiment})
        if rng.random() < self._release.breaks:
            self.error("TypeError", "Cannot read properties of undefined (reading 'total')", "checkout.js")
        ease = person.browser.patience * (1.12 if person.experiment == "one_page" else 0.95)
        self.wait(50 if person.experiment == "classic" else 32)
        if rng.random() < 0.84 * ease:
            self.pay(cart)

    def pay(self, cart: list[shop.Product]) -> None:
        """Pay; who cannot tries again, once or not at all."""
        rng = self._rng
        bill, method = _cart(cart), rng.choices(("card", "paypal", "invoice"), (70, 24, 6))[0]
        for _ in range(2):
            self.click(f"Pay €{bill['total']:.2f}")
            works = rng.random() < self._release.pays
            trace = self.request("POST", "/api/pay", 200 if works else 402, 900 if works else 2_600)
            if works:
                order = {"id": f"o-{rng.randrange(10**8):08d}", **bill}
                told = {"experiment": {"checkout": self._person.experiment}, "payment": {"method": method}}
                self.server("checkout.completed", trace, order=order, **told)
                self.page(f"/orders/{order['id']}", name="/orders/?")
                self._ship(order)
                return
            reason = rng.choices(("gateway_timeout", "card_declined", "insufficient_funds"), (6, 3, 1))[0]
            self.server("payment.failed", trace, payment={"reason": reason, "method": method}, cart=bill)
            if rng.random() < 0.5:
                return
            self.wait(20)

    def _ship(self, order: dict[str, Any]) -> None:
        """Let a job tell, the day after, that it was shipped."""
        here, known = self._now, self._session
        self._now, self._session = here + int(self._rng.uniform(8, 40) * 3_600_000), ""
        self.server("order.shipped", order=order, job={"name": "orders.ship", "queue": "default"})
        self._now, self._session = here, known

    # What browser and server tell of it.

    def wait(self, seconds: float) -> None:
        """Let some time pass, about as much as said."""
        self._now += int(1000 * seconds * self._rng.uniform(0.3, 1.9)) + 40

    def page(self, path: str, name: str | None = None) -> None:
        """Open a page; the one before it is left."""
        self._leave()
        self.wait(1.2)
        self._opened = self._now
        before, self._url = self._url, shop.HOST + path
        first_byte = self._rng.uniform(60, 240) * (2.2 if self._release.breaks > 0.1 else 1)
        self._view = {
            "id": new_id(self._rng),
            "url": self._url,
            "referrer": before,
            "name": name or path,
            "loading_type": "initial_load",
            "first_byte": int(first_byte) * _NANOSECONDS,
            "largest_contentful_paint": int(first_byte * self._rng.uniform(2, 6)) * _NANOSECONDS,
            "is_active": False,
        }
        self._now += int(first_byte)

    def _leave(self) -> None:
        if self._view is None:
            return
        self.wait(6)
        view = {**self._view, "time_spent": (self._now - self._opened) * _NANOSECONDS}
        body = self._line("view", self._opened, {"document_version": 4})
        self._tell(self._opened, body | {"view": view})
        self._view = None

    def click(self, name: str) -> None:
        """Click on something of the page that is open."""
        self.wait(5)
        action = {"id": new_id(self._rng), "type": "click", "target": {"name": name}}
        self._tell(self._now, self._line("action", self._now) | {"action": action})

    def error(self, kind: str, message: str, file: str) -> None:
        """Let a script of the page fail."""
        error = {
            "id": new_id(self._rng), "type": kind, "message": message, "source": "source", "handling": "unhandled",
            "stack": f"{kind}: {message}\n  at render @ {shop.HOST}/static/{file}:118:7",
        }  # fmt: skip
        self._tell(self._now, self._line("error", self._now) | {"error": error})

    def request(self, method: str, path: str, status: int, took: float) -> int:
        """Let a script of the page ask the server; returns the trace."""
        trace, took = self._rng.getrandbits(63), took * self._rng.uniform(0.5, 1.8)
        resource = {
            "id": new_id(self._rng), "type": "fetch", "method": method, "url": shop.HOST + path,
            "status_code": status, "duration": int(took * _NANOSECONDS),
        }  # fmt: skip
        body = self._line("resource", self._now, {"trace_id": str(trace)}) | {"resource": resource}
        self._tell(self._now, body)
        self._now += int(took)
        return trace

    def _line(self, kind: str, at: int, internal: dict[str, Any] | None = None) -> dict[str, Any]:
        person, version = self._person, self._release.version
        usr: dict[str, Any] = {"anonymous_id": person.anonymous_id}
        if self._known:
            usr |= {"id": person.id, "name": person.name, "email": person.email}
        company = person.account if self._known else None
        account = {"account": {"id": company.id, "name": company.name}} if company else {}
        view = {"id": self._view["id"], "url": self._url, "name": self._view["name"]} if self._view else {}
        return {
            "type": kind,
            "date": at,
            "application": {"id": shop.APPLICATION},
            "session": {"id": self._session, "type": "user"},
            "service": shop.SERVICE,
            "version": version,
            "ddtags": f"env:{shop.ENV},version:{version},service:{shop.SERVICE}",
            "view": view,
            "usr": usr,
            **account,
            "device": {"type": person.browser.device},
            "geo": {"country": person.country[0], "country_iso_code": person.country[1]},
            "_dd": {"format_version": 2, **(internal or {})},
        }

    def _tell(self, at: int, body: dict[str, Any]) -> None:
        self.events.append(Event(ts=at, body=body, user_agent=self._person.browser.agent))

    def server(self, name: str, trace: int | None = None, **attributes: Any) -> None:
        """Let the server tell something."""
        at, person = self._now + self._rng.randint(5, 60), self._person
        link: dict[str, Any] = {"session": {"id": self._session}} if self._session else {}
        if self._known:
            link["usr"] = {"id": person.id}
        if self._known and person.account:
            link["account"] = {"id": person.account.id, "plan": person.account.plan}
        body = {
            "type": "server",
            "application": {"id": shop.APPLICATION},
            "event": {"name": name},
            **link,
            "service": shop.SERVICE,
            "env": shop.ENV,
            "version": shop.release_at(at, self._end).version,
            **attributes,
            **({} if trace is None else {"dd": {"trace_id": f"{trace:032x}"}}),
            "dd_pa": {"event_id": f"{self._rng.getrandbits(128):032x}", "occurred_at": at},
        }
        self.events.append(Event(ts=at, body=body))


def _told(product: shop.Product) -> dict[str, Any]:
    return {"slug": product.slug, "category": product.category, "price": product.price}


def _cart(cart: list[shop.Product]) -> dict[str, Any]:
    return {"total": round(sum(product.price for product in cart), 2), "currency": "EUR", "items": len(cart)}
