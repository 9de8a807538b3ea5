"""Flask apps under test: with the test client, several of them, and a fresh one for each test."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from dd_pa.testing import CapturedEvents, capture_events
from dd_pa_flask import ProductAnalytics

analytics = ProductAnalytics()


def create_app(folder: Path, **changes: Any) -> Flask:
    app = Flask(__name__)
    app.config.from_mapping(
        TESTING=True,
        DD_PA_APPLICATION_ID="shop",
        DD_PA_API_KEY="0123456789abcdef0123456789abcdef",
        DD_PA_SPOOL_DIR=str(folder / "spool"),
        DD_PA_USER_ID=lambda request: request.args.get("user"),
        **changes,
    )
    analytics.init_app(app)

    @app.post("/checkout")
    @analytics.tracked("checkout.completed", attributes=lambda request, response: {"status": response.status_code})
    def checkout() -> str:
        analytics.track("order.placed", {"order": {"total": 42}}, account="acme")
        return "ok"

    return app


@pytest.mark.parametrize("_again", range(3))
def test_a_fresh_app_for_each_test(_again: int, tmp_path: Path, dd_pa_events: CapturedEvents) -> None:
    """With no thread and no file to clean up after it."""
    before = set(threading.enumerate())
    client = create_app(tmp_path).test_client()

    assert client.post("/checkout?user=7").status_code == 200

    dd_pa_events.assert_order("order.placed", "checkout.completed")
    dd_pa_events.assert_tracked("order.placed", {"order": {"total": 42}}, usr=7, account="acme", count=1)
    dd_pa_events.assert_tracked("checkout.completed", {"status": 200}, usr=7, exact=True, session=None)
    assert set(threading.enumerate()) <= before
    assert list(tmp_path.iterdir()) == []


def test_several_apps(tmp_path: Path) -> None:
    """All are seen; a block may be for one of them, and the others' events are held back as ever."""
    shop, blog = create_app(tmp_path), create_app(tmp_path)

    with capture_events() as both, capture_events(shop.extensions["dd_pa"].emitter) as of_shop:
        shop.test_client().post("/checkout?user=1")
        blog.test_client().post("/checkout?user=2")

    assert [event.usr for event in both] == ["1", "1", "2", "2"]
    assert [event.usr for event in of_shop] == ["1", "1"]


def test_without_a_capture_nothing_leaves(tmp_path: Path) -> None:
    """The app works as ever."""
    app = create_app(tmp_path)

    assert app.test_client().post("/checkout?user=1").status_code == 200
    assert app.extensions["dd_pa"].emitter.stats().dropped == {"test_run": 2}
    assert list(tmp_path.iterdir()) == []
