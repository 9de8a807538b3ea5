"""What the shop tells. `DD_PA_AUTH_EVENTS` fires those of signing in and out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct, field

from dd_pa import Event


class PricingViewed(Event, name="pricing.viewed", owner="growth"):
    """All plans were shown."""

    plans: int


class SeenPlan(Struct):
    name: str
    price: Decimal
    seats: int


class PlanViewed(Event, name="plan.viewed", owner="growth"):
    """One plan was shown."""

    plan: SeenPlan


class PaidPlan(Struct):
    name: str
    price: Decimal
    currency: str
    seats: int


class FormerPlan(Struct):
    plan: str


class UpgradeStarted(Event, name="upgrade.started", owner="billing"):
    """The card form was shown."""

    plan: PaidPlan
    former: FormerPlan = field(name="from")


class FailedPayment(Struct):
    reason: str
    method: Literal["card"] = "card"


class PaymentFailed(Event, name="payment.failed", owner="billing"):
    """The card was declined; the plan stays as it was."""

    payment: FailedPayment
    plan: PaidPlan


class PlanChanged(Event, name="plan.changed", owner="billing"):
    """A team is on another plan."""

    plan: PaidPlan
    changed: dict[str, Any]


class NewInvoice(Struct):
    plan: str
    cents: int


class InvoiceIssued(Event, name="invoice.issued", owner="billing"):
    """A month was paid."""

    invoice: NewInvoice


class SeenInvoice(Struct):
    number: int


class InvoiceViewed(Event, name="invoice.viewed", owner="billing"):
    """An invoice was looked at."""

    invoice: SeenInvoice


class Seats(Struct):
    used: int
    included: int


class SeatAdded(Event, name="seat.added", owner="growth"):
    """A team has taken one more seat."""

    seats: Seats


class SignUp(Struct):
    method: Literal["password"] = "password"


class SignedUp(Event, name="user.signed_up", owner="accounts"):
    """A team has become a customer."""

    sign_up: SignUp


class SignedIn(Event, name="user.signed_in", owner="accounts"):
    """Somebody has signed in."""


class SignedOut(Event, name="user.signed_out", owner="accounts"):
    """And out."""


class SignInFailed(Event, name="user.sign_in_failed", owner="accounts"):
    """A password did not match; whose, is not told."""
