"""Paying for a plan, and the invoices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Request, Response, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user, login_required
from sqlalchemy import Select, select

from example_project import payment
from example_project.flask_shop.analytics import analytics
from example_project.flask_shop.database import db
from example_project.flask_shop.events import (
    FailedPayment,
    FormerPlan,
    InvoiceViewed,
    PaymentFailed,
    SeenInvoice,
    UpgradeStarted,
)
from example_project.flask_shop.models import Invoice, facts
from example_project.flask_shop.plans import PLANS, Plan

blueprint = Blueprint("billing", __name__)

CHECKS: dict[str, Callable[[str], Any]] = {
    "number": payment.card_number,
    "expiry": payment.check_expiry,
    "cvc": payment.check_cvc,
}


@blueprint.get("/plans/<slug>/pay")
@login_required
def pay(slug: str) -> Any:
    plan = payable(slug)
    analytics.track(UpgradeStarted(plan=facts(plan), former=FormerPlan(plan=current_user.team.plan)))
    return render_template("billing/pay.html", plan=plan, errors={}, declined=None)


@blueprint.post("/plans/<slug>/pay")
@login_required
def charge(slug: str) -> Any:
    plan = payable(slug)
    errors = card_problems()
    if errors:
        return render_template("billing/pay.html", plan=plan, errors=errors, declined=None), 422
    try:
        upgrade(plan, payment.card_number(request.form["number"]))
    except payment.PaymentDeclinedError as error:
        analytics.track(PaymentFailed(payment=FailedPayment(reason=error.reason), plan=facts(plan)))
        return render_template("billing/pay.html", plan=plan, errors={}, declined=error.reason), 402
    flash(f"Your team is on the {plan.name} plan now.")
    return redirect(url_for("team.home"))


def payable(slug: str) -> Plan:
    plan = PLANS.get(slug)
    if plan is None or not plan.cents:
        abort(404)
    return plan


def card_problems() -> dict[str, str]:
    found = {}
    for field, check in CHECKS.items():
        try:
            check(request.form.get(field, ""))
        except ValueError as error:
            found[field] = str(error)
    return found


def upgrade(plan: Plan, card: str) -> None:
    """Charge the card and move the team to the plan. Raises PaymentDeclinedError, and then nothing has changed."""
    reference = payment.charge(card, plan.price)
    team = current_user.team
    team.plan = plan.slug
    db.session.add(Invoice(team=team, plan=plan.slug, cents=plan.cents, payment=reference))
    db.session.commit()


@blueprint.get("/invoices")
@login_required
def invoices() -> str:
    found = db.session.scalars(of_my_team().order_by(Invoice.id.desc()))
    return render_template("billing/invoices.html", invoices=found.all(), plans=PLANS)


def of_my_team() -> Select[tuple[Invoice]]:
    """Show nobody the invoices of another team."""
    return select(Invoice).where(Invoice.team == current_user.team)


def viewed_invoice(request: Request, response: Response) -> InvoiceViewed:
    return InvoiceViewed(invoice=SeenInvoice(number=(request.view_args or {})["number"]))


@blueprint.get("/invoices/<int:number>")
@login_required
@analytics.tracked(InvoiceViewed, attributes=viewed_invoice)
def invoice(number: int) -> str:
    found = db.first_or_404(of_my_team().where(Invoice.id == number - 2000))
    return render_template("billing/invoice.html", invoice=found, plan=PLANS[found.plan], team=current_user.team)
