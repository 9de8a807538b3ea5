"""A team's own page. The page adds seats with `fetch`, where the browser SDK puts its baggage header."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask_login import current_user, login_required

from example_project.flask_shop.database import db
from example_project.flask_shop.models import Seat
from example_project.flask_shop.plans import PLANS

blueprint = Blueprint("team", __name__, url_prefix="/team")


@blueprint.get("/")
@login_required
def home() -> str:
    team = current_user.team
    return render_template("team/home.html", team=team, plan=PLANS[team.plan], seats=team.seats)


@blueprint.post("/seats")
@login_required
def add_seat() -> Any:
    sent = request.get_json() if request.is_json else request.form
    label = str(sent.get("label", "")).strip()[:60]
    used, seats = take_seat(label) if label else (0, 0)
    if request.is_json:
        return jsonify(used=used, seats=seats), 201 if used else 409
    if not used:
        flash("There is no free seat in your plan.", "bad")
    return redirect(url_for("team.home"))


def take_seat(label: str) -> tuple[int, int]:
    """Take a seat if the plan has a free one; return how many are used and included, 0 used if there was none."""
    team = current_user.team
    seats = PLANS[team.plan].seats
    if len(team.seats) >= seats:
        return 0, seats
    db.session.add(Seat(team=team, label=label))
    db.session.commit()
    return len(team.seats), seats
