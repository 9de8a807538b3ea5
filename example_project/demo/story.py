"""What happens in the demo: four customers, a passer-by and the staff. `expected` says which events that makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from example_project.demo.customer import Customer
from example_project.demo.town import PASSWORD, STAFF

GOOD = {"number": "4242 4242 4242 4242", "expiry": "12/49", "cvc": "123"}
DECLINED = {**GOOD, "number": "4000 0000 0000 0002"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Who plays."""

    nora: Customer
    """Django shop, SDK v7: a visitor who becomes a customer within one browser session."""

    emil: Customer
    """Django shop, SDK v7, but the session in the cookie has expired: it must not be claimed."""

    passer_by: Customer
    """Django shop, no SDK at all: there is nobody to link an event to."""

    ines: Customer
    """Flask shop, SDK v6 with baggage on `fetch`."""

    sam: Customer
    """Flask shop, SDK v6, but RUM does not keep this visit."""

    staff: Customer
    """Ships what the Django shop has sold, in its admin."""


def browse(cast: Cast) -> None:
    cast.passer_by.open("/products/office-fern/")
    cast.nora.open("/")
    cast.nora.open("/products/arc-desk-lamp/")


def search(cast: Cast) -> None:
    cast.nora.open("/search/?q=Lamp")


def sign_up(cast: Cast) -> None:
    """Nora fills a cart before she has an account; Emil begins with the account."""
    cast.nora.open("/products/arc-desk-lamp/")
    cast.nora.submit("/cart/add/arc-desk-lamp/", {"quantity": "2"})
    cast.nora.open("/sign-up/?next=/checkout/")
    cast.nora.submit("/sign-up/", {"company": "Northwind", "email": cast.nora.email, "password": PASSWORD})
    cast.emil.open("/sign-up/")
    cast.emil.submit("/sign-up/", {"company": "Everly & Sons", "email": cast.emil.email, "password": PASSWORD})


def failed_payment(cast: Cast) -> None:
    cast.nora.submit("/checkout/", DECLINED, answer=402)


def checkout(cast: Cast) -> None:
    cast.nora.submit("/checkout/", GOOD)


def rolled_back_order(cast: Cast) -> None:
    """Both want the last pair of headphones; Nora pays a moment later, and her whole order is undone."""
    for customer in (cast.nora, cast.emil):
        customer.open("/products/quiet-headphones/")
        customer.submit("/cart/add/quiet-headphones/", {"quantity": "1"})
        customer.open("/checkout/")
    cast.emil.submit("/checkout/", GOOD)
    cast.nora.submit("/checkout/", GOOD, answer=409)


def sign_out(cast: Cast) -> None:
    """The browser session outlives the sign-out; who comes back signs in, at the first attempt or not."""
    cast.nora.submit("/sign-out/")
    cast.nora.open("/products/garden-teapot/")
    cast.nora.open("/sign-in/")
    cast.nora.submit("/sign-in/", {"username": cast.nora.email, "password": "was it this one?"})
    cast.emil.submit("/sign-out/")
    cast.emil.open("/sign-in/")
    cast.emil.submit("/sign-in/", {"username": cast.emil.email, "password": PASSWORD})


def ship(cast: Cast) -> None:
    """An action of the admin: the model says what is told, and that it is Nora's."""
    orders, sign_in = "/admin/orders/order/", "/admin/login/?next=/admin/orders/order/"
    cast.staff.open(orders)
    cast.staff.submit(sign_in, {"username": STAFF, "password": PASSWORD})
    cast.staff.submit(orders, {"action": "ship", "_selected_action": "1"})
    cast.staff.open("/")


def compare_plans(cast: Cast) -> None:
    """The first page of a visit comes without the SDK's cookie: it is the second that is linked."""
    cast.ines.open("/")
    cast.ines.open("/plans/studio")
    cast.sam.open("/")


def bring_teams(cast: Cast) -> None:
    for customer, team in ((cast.ines, "Ironbark"), (cast.sam, "Saltworks")):
        customer.open("/sign-up")
        customer.submit("/sign-up", {"team": team, "email": customer.email, "password": PASSWORD})


def upgrade(cast: Cast) -> None:
    cast.ines.open("/plans/studio/pay")
    cast.ines.submit("/plans/studio/pay", DECLINED, answer=402)
    cast.ines.submit("/plans/studio/pay", GOOD)
    cast.ines.open("/invoices/2001")


def add_seat(cast: Cast) -> None:
    """What a browser claims about the user is not believed, only its session is."""
    cast.ines.open("/team/")
    claims = {"user": "u-somebody-else", "account": "saltworks"}
    cast.ines.fetch("/team/seats", {"label": "Apprentice"}, claims=claims)


def leave(cast: Cast) -> None:
    cast.ines.submit("/sign-out")
    cast.ines.open("/sign-in")
    cast.ines.submit("/sign-in", {"email": cast.ines.email, "password": "was it this one?"}, answer=422)
    cast.sam.open("/")
    cast.sam.submit("/sign-out")
    cast.sam.open("/sign-in")
    cast.sam.submit("/sign-in", {"email": cast.sam.email, "password": PASSWORD})


STEPS: tuple[Callable[[Cast], None], ...] = (
    browse,
    search,
    sign_up,
    failed_payment,
    checkout,
    rolled_back_order,
    sign_out,
    ship,
    compare_plans,
    bring_teams,
    upgrade,
    add_seat,
    leave,
)
