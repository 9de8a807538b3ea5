"""Who signs up, in and out."""

from __future__ import annotations

import re
import secrets
import sqlite3
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, session, url_for
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user, logout_user
from werkzeug.security import check_password_hash, generate_password_hash

from example_project.flask_shop.analytics import analytics
from example_project.flask_shop.database import connection, transaction

blueprint = Blueprint("people", __name__)
logins = LoginManager()
logins.login_view = "people.sign_in"
logins.login_message = "Please sign in to go on."

NOBODY = generate_password_hash(secrets.token_hex())


@dataclass(frozen=True)
class Person(UserMixin):
    """Somebody who acts for a team. The id says nothing about them: it is `usr.id` in Datadog."""

    id: str
    team: str


@logins.user_loader
def load(person_id: str) -> Person | None:
    row = connection().execute("SELECT id, team FROM person WHERE id = ?", [person_id]).fetchone()
    return Person(*row) if row else None


@blueprint.route("/sign-up", methods=["GET", "POST"])
def sign_up() -> Any:
    if request.method == "GET":
        return render_template("people/sign_up.html", errors={})
    errors = problems(request.form)
    if not errors:
        try:
            person = register(request.form["team"].strip(), request.form["email"].lower(), request.form["password"])
        except sqlite3.IntegrityError:
            errors = {"email": "This team or this e-mail has an account already; sign in instead."}
    if errors:
        return render_template("people/sign_up.html", errors=errors), 422
    login_user(person)
    analytics.track("user.signed_up", {"sign_up": {"method": "password"}})
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
    person = Person(id=f"u-{secrets.token_hex(4)}", team=handle_of(team))
    with transaction() as db:
        db.execute("INSERT INTO team (handle, name) VALUES (?, ?)", [person.team, team])
        row = [person.id, email, generate_password_hash(password), person.team]
        db.execute("INSERT INTO person (id, email, password, team) VALUES (?, ?, ?, ?)", row)
        db.execute("INSERT INTO seat (team, label) VALUES (?, 'You')", [person.team])
    return person


@blueprint.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> Any:
    if request.method == "GET":
        return render_template("people/sign_in.html", error=None)
    email, password = request.form.get("email", "").lower(), request.form.get("password", "")
    row = connection().execute("SELECT id, team, password FROM person WHERE email = ?", [email]).fetchone()
    # An unknown e-mail takes as long as a wrong password, so that nobody can find out who is a customer.
    if not check_password_hash(row["password"] if row else NOBODY, password) or row is None:
        return render_template("people/sign_in.html", error="This e-mail and password do not match."), 422
    login_user(Person(row["id"], row["team"]))
    analytics.track("user.signed_in", {"sign_in": {"method": "password"}})
    return redirect(after_sign_in())


@blueprint.post("/sign-out")
@login_required
def sign_out() -> Any:
    analytics.track("user.signed_out")  # before: afterwards there is nobody to link it to
    logout_user()
    session.clear()
    flash("You are signed out.")
    return redirect(url_for("pricing.plans"))


def after_sign_in() -> str:
    """Return the page that asked for the sign-in, if it is one of this site."""
    wanted = request.values.get("next", "")
    return wanted if re.fullmatch(r"/(?![/\\])[\w/?=&.-]*", wanted, re.ASCII) else url_for("team.home")


def team_of_current() -> sqlite3.Row:
    """Return the team of who is signed in."""
    row = connection().execute("SELECT * FROM team WHERE handle = ?", [current_user.team]).fetchone()
    if row is None:
        abort(404)
    found: sqlite3.Row = row
    return found
