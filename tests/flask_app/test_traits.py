"""DD_PA_USER_ATTRIBUTES, DD_PA_ACCOUNT_ATTRIBUTES and DD_PA_ANONYMOUS_ID in Flask."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, render_template_string
from flask_login import LoginManager, login_user
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from dd_pa import EventError
from dd_pa.emulator import Emulator
from dd_pa_flask import ProductAnalytics
from tests.flask_app.conftest import MakeApp, delivered
from tests.page_scripts import setup_in

VISITOR = "59cf2df2-579e-4935-ab25-357d54822ec2"
TOKEN = "pub0123456789abcdef0123456789abcdef"


class Member:
    is_authenticated = is_active = True
    plan = "pro"
    email = "ada@example.com"

    def get_id(self) -> str:
        return "ada"


def shop(make_app: MakeApp, analytics: ProductAnalytics, **settings: Any) -> Flask:
    app = make_app(DD_PA_CLIENT_TOKEN=TOKEN, **settings)
    LoginManager(app).user_loader(lambda key: Member())

    @app.get("/login")
    def sign_in() -> str:
        analytics.track("seen", usr="ada")
        login_user(Member())
        return ""

    @app.get("/seen")
    def seen() -> str:
        analytics.track("seen")
        analytics.track("seen", usr="bob")
        return ""

    @app.get("/page")
    def page() -> str:
        return render_template_string("{{ dd_pa_rum() }}")

    return app


def test_fields_of_the_login(make_app: MakeApp, analytics: ProductAnalytics, emulator: Emulator) -> None:
    """Named fields of Flask-Login's user go beside his id in events and page, and beside nobody else's."""
    app = shop(make_app, analytics, DD_PA_USER_ATTRIBUTES=["plan"], DD_PA_ANONYMOUS_ID=True)
    client = app.test_client()
    client.set_cookie("_dd_s", f"aid={VISITOR}&rum=0")

    client.get("/login")
    client.get("/seen")

    named = {"id": "ada", "anonymous_id": VISITOR}
    events = [event["usr"] for event in delivered(app, emulator)]
    assert events == [named | {"plan": "pro"}, named, {"id": "bob"}]
    assert setup_in(client.get("/page").get_data(as_text=True))["user"] == {"id": "ada", "plan": "pro"}


def test_callables(make_app: MakeApp, analytics: ProductAnalytics, emulator: Emulator) -> None:
    """They are called with the request."""
    app = shop(
        make_app,
        analytics,
        DD_PA_USER_ID=lambda request: "ada",
        DD_PA_ACCOUNT_ID=lambda request: "acme",
        DD_PA_USER_ATTRIBUTES=lambda request: {"path": request.path},
        DD_PA_ACCOUNT_ATTRIBUTES=lambda request: {"seats": 3},
    )

    app.test_client().get("/seen")

    assert delivered(app, emulator) == [
        {"event": {"name": "seen"}, "usr": {"id": "ada", "path": "/seen"}, "account": {"id": "acme", "seats": 3}},
        {"event": {"name": "seen"}, "usr": {"id": "bob"}},
    ]


class Row(DeclarativeBase):
    """Where the users of an app are."""


class Customer(Row):
    """A user with two more unique ids, and a token for Flask-Login, as Flask-Security has."""

    __tablename__ = "customer"
    is_authenticated = is_active = True

    number: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    plan: Mapped[str] = mapped_column(default="pro")

    def get_id(self) -> str:
        return "token"


@pytest.mark.parametrize(("usr", "is_own"), [("token", True), (7, True), ("p-7", True), ("pro", False), ("8", False)])
def test_names_beside_user_id(
    make_app: MakeApp, analytics: ProductAnalytics, emulator: Emulator, usr: Any, is_own: bool
) -> None:
    """They are of the login where DD_PA_USER_ID says an id of his own, by Flask-Login or a unique column."""
    app = make_app(DD_PA_USER_ID=lambda request: usr, DD_PA_USER_ATTRIBUTES=("plan",), DD_PA_STRICT=False)
    customer = Customer(number=7, public_id="p-7", plan="pro")
    LoginManager(app).request_loader(lambda request: customer)

    with app.test_request_context():
        analytics.track("seen")

    assert [event["usr"] for event in delivered(app, emulator)] == [
        {"id": str(usr)} | ({"plan": "pro"} if is_own else {})
    ]


def test_fields_need_a_login_manager(make_app: MakeApp, analytics: ProductAnalytics) -> None:
    """The error says what else there is."""
    app = make_app(DD_PA_USER_ID=lambda request: "ada", DD_PA_USER_ATTRIBUTES=("plan",))

    with app.test_request_context(), pytest.raises(EventError, match="give a callable of the request"):
        analytics.track("seen")
