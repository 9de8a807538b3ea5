from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, render_template
from flask_login import current_user
from werkzeug.exceptions import HTTPException

from example_project.flask_shop import billing, csrf, database, people, pricing, team
from example_project.flask_shop.analytics import account_of, analytics, browser
from example_project.run_directory import run_directory, secret_key


def create_app() -> Flask:
    app = Flask(__name__)
    app.config.from_mapping(
        SECRET_KEY=secret_key(),
        DATABASE=run_directory() / "plans.sqlite3",
        # Cookies do not see ports: a name of its own keeps this shop apart from the other one on the same machine.
        SESSION_COOKIE_NAME="plans_session",
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=64 * 1024,
        RUM_BUNDLE=os.environ.get("SHOP_RUM_BUNDLE", ""),
        RUM_CLIENT_TOKEN=os.environ.get("SHOP_RUM_CLIENT_TOKEN", ""),
        # dd-pa. API_KEY, INTAKE_URL, ENV … come from the environment, as in production.
        DD_PA_APPLICATION_ID="6b1f2a64-5f0e-4c5b-9f7d-0d2c41c9a8e1",
        DD_PA_SERVICE="plans-shop",
        DD_PA_ACCOUNT_ID=account_of,
        DD_PA_STRICT=True,  # an example should show its own mistakes
    )
    look = Path(__file__).parent.parent / "look" / "static" / "look"
    app.register_blueprint(Blueprint("look", __name__, static_folder=look, static_url_path="/look"))
    for module in (people, pricing, team, billing):
        app.register_blueprint(module.blueprint)
    database.init_app(app)
    csrf.init_app(app)
    people.logins.init_app(app)
    analytics.init_app(app)
    app.context_processor(browser)
    app.add_template_filter(euros)
    app.after_request(keep_private)
    app.register_error_handler(HTTPException, explain)
    return app


def euros(cents: int) -> str:
    return f"€{cents / 100:,.2f}"


def keep_private(response: Response) -> Response:
    """Keep pages out of every cache that depend on who looks: they carry the user's id."""
    if response.mimetype == "text/html" and current_user.is_authenticated:
        response.cache_control.private = True
        response.cache_control.no_store = True
        response.vary.add("Cookie")
    return response


def explain(error: HTTPException) -> Any:
    if error.code is None or error.code < 400:
        return error
    return render_template("error.html", error=error), error.code
