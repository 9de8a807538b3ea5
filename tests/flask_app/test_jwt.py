"""Flask-JWT-Extended, by the recipe in docs/flask.md."""

# Flask-JWT-Extended's decorators have no types.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask_jwt_extended import JWTManager, create_access_token, jwt_required

from dd_pa_flask import ProductAnalytics
from tests.flask_app import rum
from tests.flask_app.conftest import MakeApp, Sent

DOCS = (Path(__file__).parents[2] / "docs" / "flask.md").read_text()


def recipe() -> Any:
    """Return what the documentation sets DD_PA_USER_ID to."""
    block = re.search(r"<!-- test: jwt -->\n```python\n(.*?)```", DOCS, flags=re.DOTALL)
    assert block is not None
    names: dict[str, Any] = {"app": SimpleNamespace(config={})}
    exec(block[1], names)  # noqa: S102 - our own docs
    return names["app"].config["DD_PA_USER_ID"]


@pytest.fixture
def app(make_app: MakeApp, analytics: ProductAnalytics) -> Flask:
    app = make_app(DD_PA_USER_ID=recipe(), JWT_SECRET_KEY="only-for-tests" * 5)
    JWTManager(app)

    @app.get("/open")
    @analytics.tracked("page.viewed")
    def anybody() -> str:
        return "ok"

    @app.get("/closed")
    @jwt_required()
    @analytics.tracked("page.viewed")
    def somebody() -> str:
        analytics.track("page.built")
        return "ok"

    return app


def headers(app: Flask, **options: Any) -> dict[str, str]:
    with app.app_context():
        return {"Authorization": f"Bearer {create_access_token('bob', **options)}", "Baggage": rum.baggage()}


@pytest.mark.parametrize(("path", "count"), [("/open", 1), ("/closed", 2)])
def test_token_names_the_user(app: Flask, sent: Sent, path: str, count: int) -> None:
    """In views that ask for a token, and in those that do not."""
    assert app.test_client().get(path, headers=headers(app)).status_code == 200

    assert [(event["usr"], event["session"]) for event in sent()] == [({"id": "bob"}, {"id": rum.SESSION})] * count


@pytest.mark.parametrize("changes", [{"expires_delta": timedelta(minutes=-1)}, None], ids=["too old", "none at all"])
def test_visitor_without_a_good_token(app: Flask, sent: Sent, changes: Any) -> None:
    """Is nobody, with the browser's session; and a refusal fires nothing."""
    given = {"Baggage": rum.baggage()} if changes is None else headers(app, **changes)

    assert app.test_client().get("/closed", headers=given).status_code == 401
    assert app.test_client().get("/open", headers=given).status_code == 200

    assert [(event.get("usr"), event["session"]) for event in sent()] == [(None, {"id": rum.SESSION})]
