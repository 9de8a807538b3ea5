from __future__ import annotations

from flask import Blueprint, Request, Response, abort, render_template
from flask_login import current_user

from example_project.flask_shop.analytics import analytics
from example_project.flask_shop.events import PlanViewed, PricingViewed, SeenPlan
from example_project.flask_shop.plans import PLANS

blueprint = Blueprint("pricing", __name__)


def viewed_plan(request: Request, response: Response) -> PlanViewed:
    plan = PLANS[(request.view_args or {})["slug"]]
    return PlanViewed(plan=SeenPlan(name=plan.slug, price=plan.price, seats=plan.seats))


@blueprint.get("/")
@analytics.tracked(PricingViewed(plans=len(PLANS)))
def plans() -> str:
    mine = current_user.team.plan if current_user.is_authenticated else None
    return render_template("plans.html", plans=PLANS.values(), mine=mine)


@blueprint.get("/plans/<slug>")
@analytics.tracked(PlanViewed, attributes=viewed_plan)
def plan(slug: str) -> str:
    if slug not in PLANS:
        abort(404)
    mine = current_user.team.plan if current_user.is_authenticated else None
    return render_template("plan.html", plan=PLANS[slug], mine=mine)
