"""A Flask site with the extension, for a browser: `python -m tests.browser.flask_site FD INTAKE OTHER DIRECTORY`."""

from __future__ import annotations

import sys

from flask import Flask, Request, Response, redirect, render_template_string, request
from flask_login import LoginManager, UserMixin, login_user, logout_user
from markupsafe import Markup
from werkzeug.serving import make_server
from werkzeug.wrappers import Response as Answer

from dd_pa_flask import ProductAnalytics
from tests.browser.pages import CLIENT_TOKEN, CONSENT_COOKIE, CORS, SDK_COOKIE, SDK_PATH, outside, page, sdk

USER = "41"
analytics = ProductAnalytics()
logins = LoginManager()


class User(UserMixin):  # type: ignore[misc]  # Flask-Login has no types
    id = USER


@logins.user_loader  # type: ignore[untyped-decorator]
def load_user(user_id: str) -> User | None:
    return User() if user_id == USER else None


def has_agreed(current: Request) -> bool:
    return current.cookies.get(CONSENT_COOKIE) != "no"


def create_app(intake: str, other: str) -> Flask:
    app = Flask(__name__)
    app.config.from_mapping(
        SECRET_KEY="only-for-tests",
        SESSION_COOKIE_NAME="flask_session",
        DD_PA_APPLICATION_ID="22222222-2222-4222-8222-222222222222",
        DD_PA_API_KEY="any",
        DD_PA_INTAKE_URL=intake,
        DD_PA_SERVICE="flask-site",
        DD_PA_STRICT=True,
        DD_PA_SPOOL_DIR=None,
        DD_PA_CONSENT=has_agreed,
        DD_PA_CLIENT_TOKEN=CLIENT_TOKEN,
        DD_PA_RUM_SDK_URL=SDK_PATH,
        DD_PA_RUM_OPTIONS={"proxy": f"{intake}/rum", "allowedTracingUrls": ["http://127.0.0.1:"]},
    )
    logins.init_app(app)
    analytics.init_app(app)
    app.config["OTHER_SITE"] = other
    add_tracked(app)
    add_others(app)
    return app


def add_tracked(app: Flask) -> None:
    @app.get("/page")
    def open_page() -> str:
        name = request.args["name"]
        analytics.track("page.opened", {"name": name}, account="site")
        return page(render_template_string("{{ dd_pa_rum() }}"), name, app.config["OTHER_SITE"])

    @app.post("/act")
    def act() -> Answer:
        analytics.track("form.sent", {"name": request.args["name"]}, account="site")
        return redirect("/page?name=after-form")

    @app.route("/api/act", methods=["POST", "OPTIONS"], provide_automatic_options=False)
    def api() -> Response:
        if request.method == "POST":
            analytics.track("api.called", {"name": request.args["name"]}, account="site")
        return Response("done", headers=CORS)


def add_others(app: Flask) -> None:
    @app.post("/sign-in")
    def sign_in() -> Answer:
        login_user(User())
        return redirect("/page?name=signed-in")

    @app.post("/sign-out")
    def sign_out() -> Answer:
        logout_user()
        return redirect("/page?name=signed-out")

    @app.get("/elsewhere")
    def elsewhere() -> Markup:
        return Markup(outside(request.args["to"]))  # noqa: S704 - escaped there

    @app.get(SDK_PATH)
    def browser_sdk() -> Response:
        return Response(sdk(request.cookies[SDK_COOKIE]), mimetype="text/javascript")


if __name__ == "__main__":
    make_server("127.0.0.1", 0, create_app(*sys.argv[2:4]), threaded=True, fd=int(sys.argv[1])).serve_forever()
