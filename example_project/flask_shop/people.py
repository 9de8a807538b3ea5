"""Who signs up, in and out. That somebody has signed in or out is told by `DD_PA_AUTH_EVENTS`."""

from __future__ import annotations

import re
import secrets
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_login import LoginManager, login_required, login_user, logout_user
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from werkzeug.security import check_password_hash, generate_password_hash

from example_project.flask_shop.analytics import analytics
from example_project.flask_shop.database import db
from example_project.flask_shop.events import SignedUp, SignInFailed, SignUp
from example_project.flask_shop.models import Person, Seat, Team

blueprint = Blueprint("people", __name__)
logins = LoginManager()
logins.login_view = "people.sign_in"
logins.login_message = "Please sign in to go on."

NOBODY = generate_password_hash(secrets.token_hex())


@logins.user_loader
def load(person_id: str) -> Person | None:
    return db.session.get(Person, person_id)


@blueprint.route("/sign-up", methods=["GET", "POST"])
def sign_up() -> Any:
    if request.method == "GET":
        return render_template("people/sign_up.html", errors={})
    errors = problems(request.form)
    if not errors:
        try:
            person = register(request.form["team"].strip(), request.form["email"].lower(), request.form["password"])
        except IntegrityError:
            db.session.rollback()
            errors = {"email": "This team or this e-mail has an account already; sign in instead."}
    if errors:
        return render_template("people/sign_up.html", errors=errors), 422
    login_user(person)
    analytics.track(SignedUp(sign_up=SignUp()))
    return redirect(after_sign_in())


def problems(form: dict[str, str]) -> dict[str, str]:
    found = {}
    if not handle_of(form.get("team", "")) or len(form["team"]) > 60:
        found["team"] = "Please give a name of 1 to 60 letters and digits."
    if not re.fullmatch(r"[^@\s]{1,64}@[^@\s]{1,190}", form.get("email", "")):
        found["email"] = "Please give an e-mail address."
    if not 8 <= len(form.get("password", "")) <= 200:
        found["password"] = "Please choose 8 characters or more."
    return found


def handle_of(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def register(team: str, email: str, password: str) -> Person:
    """Make the team and its first person, in its first seat. Raises IntegrityError if either exists."""
    founded = Team(handle=handle_of(team), name=team)
    person = Person(
        id=f"u-{secrets.token_hex(4)}", email=email, password=generate_password_hash(password), team=founded
    )
    db.session.add(Seat(team=founded, person=person, label="You"))
    db.session.commit()
    return person


@blueprint.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> Any:
    if request.method == "GET":
        return render_template("people/sign_in.html", error=None)
    email, password = request.form.get("email", "").lower(), request.form.get("password", "")
    person = db.session.scalar(select(Person).where(Person.email == email))
    # An unknown e-mail takes as long as a wrong password, so that nobody can find out who is a customer.
    if not check_password_hash(person.password if person else NOBODY, password) or person is None:
        analytics.track(SignInFailed())  # Flask-Login has no signal for it; never the name that was typed
        return render_template("people/sign_in.html", error="This e-mail and password do not match."), 422
    login_user(person)
    return redirect(after_sign_in())


@blueprint.post("/sign-out")
@login_required
def sign_out() -> Any:
    logout_user()
    session.clear()
    flash("You are signed out.")
    return redirect(url_for("pricing.plans"))


def after_sign_in() -> str:
    """Return the page that asked for the sign-in, if it is one of this site."""
    wanted = request.values.get("next", "")
    return wanted if re.fullmatch(r"/(?![/\\])[\w/?=&.-]*", wanted, re.ASCII) else url_for("team.home")
