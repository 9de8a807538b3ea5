"""CONSENT and RESPECT_GPC on Flask's requests."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Request, session

from dd_pa import identify
from dd_pa.emulator import Emulator
from dd_pa_flask import ProductAnalytics
from tests.flask_app.conftest import MakeApp, delivered, state_of

EVENT = {"event": {"name": "page.opened"}, "usr": {"id": "u-1"}}


def by_cookie(request: Request) -> bool:
    return request.cookies.get("consent") == "yes"


def by_session(request: Request) -> bool:
    return session.get("consent") == "yes"


@pytest.mark.parametrize(
    ("changes", "headers", "expected"),
    [
        pytest.param({"DD_PA_CONSENT": by_cookie}, {}, [], id="denied"),
        pytest.param({"DD_PA_CONSENT": by_cookie}, {"Cookie": "consent=yes"}, [EVENT], id="granted"),
        pytest.param({"DD_PA_CONSENT": f"{__name__}.by_cookie"}, {}, [], id="dotted-path"),
        pytest.param({"DD_PA_CONSENT": by_session}, {}, [], id="session"),
        pytest.param({"DD_PA_RESPECT_GPC": True}, {"Sec-GPC": "1"}, [], id="gpc"),
        pytest.param({"DD_PA_RESPECT_GPC": True}, {"Sec-GPC": "1, 1"}, [], id="gpc of two fields"),
        pytest.param({"DD_PA_RESPECT_GPC": True}, {"Sec-GPC": "0, 11"}, [EVENT], id="other values"),
        pytest.param({"DD_PA_RESPECT_GPC": True}, {}, [EVENT], id="no-gpc"),
        pytest.param({}, {"Sec-GPC": "1"}, [EVENT], id="gpc-not-respected"),
        pytest.param(
            {"DD_PA_CONSENT": lambda request: request.marked, "DD_PA_STRICT": False}, {}, [], id="failing-consent"
        ),
    ],
)
@pytest.mark.parametrize("declared", [False, True], ids=["track", "tracked"])
def test_only_with_consent(
    make_app: MakeApp,
    analytics: ProductAnalytics,
    emulator: Emulator,
    changes: dict[str, Any],
    headers: dict[str, str],
    expected: list[Any],
    declared: bool,
) -> None:
    """Without it nobody is looked up, nothing is sent, counted as such; the answer is the same either way."""
    asked: list[Request] = []

    def user_of(request: Request) -> str:
        asked.append(request)
        return "u-1"

    app = make_app(DD_PA_USER_ID=user_of, **changes)

    @app.get("/declared")
    @analytics.tracked("page.opened")
    def page() -> str:
        return "ok"

    @app.get("/called")
    def call() -> str:
        analytics.track("page.opened")
        return "ok"

    response = app.test_client(use_cookies=False).get("/declared" if declared else "/called", headers=headers)

    assert (response.status_code, set(response.headers.keys())) == (200, {"Content-Type", "Content-Length"})
    assert (delivered(app, emulator), len(asked)) == (expected, len(expected))
    assert state_of(app).emitter.stats().dropped == ({} if expected else {"consent": 1})


def test_consent_given_in_the_request_counts_from_then_on(
    make_app: MakeApp, analytics: ProductAnalytics, emulator: Emulator
) -> None:
    """Each event is asked for; a block decides for itself."""
    app = make_app(DD_PA_USER_ID=lambda request: "u-1", DD_PA_CONSENT=by_session)

    @app.post("/agree")
    def agree() -> str:
        analytics.track("page.opened")
        session["consent"] = "yes"
        analytics.track("consent.given")
        with identify(consent=False):
            analytics.track("secret.thing")
        return "ok"

    app.test_client().post("/agree")

    assert delivered(app, emulator) == [{"event": {"name": "consent.given"}, "usr": {"id": "u-1"}}]
    assert state_of(app).emitter.stats().dropped == {"consent": 2}
