from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, render_template
from werkzeug.exceptions import HTTPException

from example_project.flask_shop import billing, csrf, people, pricing, team
from example_project.flask_shop.analytics import account_of, analytics
from example_project.flask_shop.database import db, init_app, outbox
from example_project.run_directory import run_directory, secret_key


def create_app() -> Flask:
    app = Flask(__name__)
    app.config.from_mapping(
        SECRET_KEY=secret_key(),
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{run_directory() / 'plans.sqlite3'}",
        # Cookies do not see ports: a name of its own keeps this shop apart from the other one on the same machine.
        SESSION_COOKIE_NAME="plans_session",
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=64 * 1024,
        # dd-pa. API_KEY, CLIENT_TOKEN, INTAKE_URL … come from the environment, as in production.
        DD_PA_APPLICATION_ID="6b1f2a64-5f0e-4c5b-9f7d-0d2c41c9a8e1",
        DD_PA_SERVICE="plans-shop",
        DD_PA_ACCOUNT_ID=account_of,
        DD_PA_AUTH_EVENTS=True,  # sign-ins and sign-outs of Flask-Login
        DD_PA_RUM_SDK_URL="/look/vendor/datadog-rum-v7.js",  # as npm has it; without this line, from Datadog
        DD_PA_STRICT=True,  # an example should show its own mistakes
    )
    look = Path(__file__).parent.parent / "look" / "static" / "look"
    app.register_blueprint(Blueprint("look", __name__, static_folder=look, static_url_path="/look"))
    for module in (people, pricing, team, billing):
        app.register_blueprint(module.blueprint)
    init_app(app)
    csrf.init_app(app)
    people.logins.init_app(app)
    analytics.init_app(app)
    # Events are rows of the session's transaction; `flask dd-pa deliver` delivers them.
    analytics.use_outbox(app, db, outbox)
    app.add_template_filter(euros)
    app.register_error_handler(HTTPException, explain)
    return app


def euros(cents: int) -> str:
    return f"€{cents / 100:,.2f}"


def explain(error: HTTPException) -> Any:
    if error.code is None or error.code < 400:
        return error
    return render_template("error.html", error=error), error.code
