"""The events that the story makes: each with the right user, account and session, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from example_project.demo.customer import Customer
from example_project.demo.story import Cast

GOODS, PLANS = "goods-shop", "plans-shop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """An event as Product Analytics knows it, expected or arrived."""

    shop: str
    """`service` of the event."""

    name: str
    usr: str | None
    account: str | None
    session: str | None
    attributes: dict[str, Any]
    """What the shop said about it."""


def expected(cast: Cast) -> list[Happening]:
    """List what must arrive once the story is over; the ids are those that the pages told the browsers."""
    return [*nora(cast.nora), *emil(cast.emil), *staff(cast.staff), *ines(cast.ines), *sam(cast.sam)]


def nora(who: Customer) -> Iterator[Happening]:
    lamp = {"slug": "arc-desk-lamp", "price": 89.0}
    lamps = {"total": 178.0, "currency": "EUR", "items": 2}
    headphones = {"slug": "quiet-headphones", "price": 229.0}
    one_pair = {"total": 229.0, "currency": "EUR", "items": 1}
    seen = {"product": {**lamp, "category": "lighting", "in_stock": True}}
    yield anonymous(GOODS, who, "product.viewed", seen)
    yield anonymous(GOODS, who, "product.searched", {"search": {"term": "lamp", "results": 1}})
    yield anonymous(GOODS, who, "product.viewed", seen)
    yield anonymous(GOODS, who, "cart.item_added", {"product": {**lamp, "quantity": 2}, "cart": lamps})
    yield known(GOODS, who, "user.signed_in", {})
    yield known(GOODS, who, "user.signed_up", {"sign_up": {"method": "password"}})
    yield known(GOODS, who, "checkout.started", {"cart": lamps})
    yield known(GOODS, who, "payment.failed", {"payment": {"reason": "card_declined", "method": "card"}, "cart": lamps})
    yield known(GOODS, who, "checkout.completed", {"order": {"id": 1001, **lamps}, "payment": {"method": "card"}})
    yield known(GOODS, who, "product.viewed", {"product": {**headphones, "category": "desk", "in_stock": True}})
    yield known(GOODS, who, "cart.item_added", {"product": {**headphones, "quantity": 1}, "cart": one_pair})
    yield known(GOODS, who, "checkout.started", {"cart": one_pair})
    # Order 1003 was charged, and rolled back with its event: only the failure is told.
    failure = {"checkout": {"reason": "out_of_stock"}, "product": {"slug": "quiet-headphones"}}
    yield known(GOODS, who, "checkout.failed", failure)
    yield known(GOODS, who, "user.signed_out", {})
    teapot = {"slug": "garden-teapot", "price": 48.0, "category": "kitchen", "in_stock": True}
    yield anonymous(GOODS, who, "product.viewed", {"product": teapot})
    yield anonymous(GOODS, who, "user.sign_in_failed", {})
    # Who ships is the staff, in a session of their own; whose order it is the model knows.
    shipped = {
        "order": {"id": 1001, "total": 178.0, "currency": "EUR"},
        "changed": {"status": {"old": "paid", "new": "shipped"}},
    }
    yield replace(known(GOODS, who, "order.shipped", shipped), session=None)


def emil(who: Customer) -> Iterator[Happening]:
    headphones = {"slug": "quiet-headphones", "price": 229.0}
    one_pair = {"total": 229.0, "currency": "EUR", "items": 1}
    yield known(GOODS, who, "user.signed_in", {})
    yield known(GOODS, who, "user.signed_up", {"sign_up": {"method": "password"}})
    yield known(GOODS, who, "product.viewed", {"product": {**headphones, "category": "desk", "in_stock": True}})
    yield known(GOODS, who, "cart.item_added", {"product": {**headphones, "quantity": 1}, "cart": one_pair})
    yield known(GOODS, who, "checkout.started", {"cart": one_pair})
    yield known(GOODS, who, "checkout.completed", {"order": {"id": 1002, **one_pair}, "payment": {"method": "card"}})
    last = {"product": {"slug": "quiet-headphones", "category": "desk"}, "changed": {"stock": {"old": 1, "new": 0}}}
    yield known(GOODS, who, "product.sold_out", last)
    yield known(GOODS, who, "user.signed_out", {})
    yield known(GOODS, who, "user.signed_in", {})


def staff(who: Customer) -> Iterator[Happening]:
    yield known(GOODS, who, "user.signed_in", {})


def ines(who: Customer) -> Iterator[Happening]:
    seen = {"name": "studio", "price": 49.0, "seats": 5}
    plan, before = {**seen, "currency": "EUR"}, {"plan": "bench"}
    yield anonymous(PLANS, who, "plan.viewed", {"plan": seen})
    yield known(PLANS, who, "user.signed_in", {})
    yield known(PLANS, who, "user.signed_up", {"sign_up": {"method": "password"}})
    yield known(PLANS, who, "upgrade.started", {"plan": plan, "from": before})
    yield known(PLANS, who, "payment.failed", {"payment": {"reason": "card_declined", "method": "card"}, "plan": plan})
    yield known(PLANS, who, "plan.changed", {"plan": plan, "changed": {"plan": {"old": "bench", "new": "studio"}}})
    yield known(PLANS, who, "invoice.issued", {"invoice": {"plan": "studio", "cents": 4900}})
    yield known(PLANS, who, "invoice.viewed", {"invoice": {"number": 2001}})
    yield known(PLANS, who, "seat.added", {"seats": {"used": 2, "included": 5}})
    yield known(PLANS, who, "user.signed_out", {})
    yield anonymous(PLANS, who, "pricing.viewed", {"plans": 3})  # where the sign-out leads
    yield anonymous(PLANS, who, "user.sign_in_failed", {})


def sam(who: Customer) -> Iterator[Happening]:
    yield known(PLANS, who, "user.signed_in", {})
    yield known(PLANS, who, "user.signed_up", {"sign_up": {"method": "password"}})
    yield known(PLANS, who, "pricing.viewed", {"plans": 3})
    yield known(PLANS, who, "user.signed_out", {})
    yield known(PLANS, who, "user.signed_in", {})


def known(shop: str, who: Customer, name: str, attributes: dict[str, Any]) -> Happening:
    return Happening(shop=shop, name=name, usr=who.usr, account=who.account, session=who.session, attributes=attributes)


def anonymous(shop: str, who: Customer, name: str, attributes: dict[str, Any]) -> Happening:
    return Happening(shop=shop, name=name, usr=None, account=None, session=who.session, attributes=attributes)
