"""The table of cases in docs/linking.md, each row in Django (WSGI and ASGI), Flask and plain Python."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

import tests.django_app.conftest  # noqa: F401 - sets Django up
from dd_pa import Emitter, Identity, identify
from dd_pa.testing import capture_events
from dd_pa_flask import ProductAnalytics
from tests.core.wire import settings

from django.http import HttpRequest, HttpResponse  # isort: skip
from django.test import AsyncRequestFactory, RequestFactory, override_settings  # isort: skip

from dd_pa_django import atrack, get_emitter, track  # isort: skip
from dd_pa_django.middleware import ProductAnalyticsMiddleware  # isort: skip

DOCS = (Path(__file__).parents[1] / "docs" / "linking.md").read_text()
SECTION = DOCS.partition("## Whose ids belong together")[2].partition("\n## ")[0]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in SECTION.splitlines() if line.startswith("| ")]
CASES = [(who.replace("–", "-"), re.findall(r"`(.+?)`", code), linked) for who, code, linked in ROWS[1:]]

Steps = list[str]
World = Callable[[str, Steps], None]


def user_of(request: Any) -> str | None:
    return None if request.headers["X-Who"] == "-" else str(request.headers["X-Who"])


def account_of(request: Any) -> str:
    return f"account of {request.headers['X-Who']}"


def session_of(request: Any) -> str:
    return f"session of {request.headers['X-Who']}"


RESOLVERS: dict[str, Any] = {"USER_ID": user_of, "ACCOUNT_ID": account_of, "SESSION_ID": session_of}


def run(steps: Steps, emitter: Emitter, tracks: Callable[..., Any]) -> Any:
    """Run the code of a row; a block lasts until the last step has run."""

    def build(**given: Any) -> None:
        event = emitter.integration.build("x.y", **given)
        if event is not None:
            emitter.integration.submit(event)

    names = {"Identity": Identity, "identify": identify, "build": build, "track": lambda **ids: tracks("x.y", **ids)}
    with ExitStack() as blocks:
        for step in steps[:-1]:
            blocks.enter_context(eval(step, names))  # noqa: S307 - the project's own documentation
        return eval(steps[-1], names)  # noqa: S307


def plain(who: str, steps: Steps) -> None:
    found = Identity(usr=None if who == "-" else who, account=f"account of {who}", session=f"session of {who}")
    emitter = Emitter(settings(), identity=lambda: found)
    run(steps, emitter, emitter.track)


def flask(who: str, steps: Steps) -> None:
    app, analytics = Flask("shop"), ProductAnalytics()
    app.config.from_mapping(DD_PA_APPLICATION_ID="shop", DD_PA_API_KEY="k", DD_PA_SPOOL_DIR=None, DD_PA_STRICT=True)
    app.config.update({f"DD_PA_{name}": resolver for name, resolver in RESOLVERS.items()})
    analytics.init_app(app)

    @app.get("/")
    def view() -> str:
        run(steps, analytics.emitter, analytics.track)
        return "ok"

    with app.test_client() as client:
        assert client.get("/", headers={"X-Who": who}).text == "ok"


def wsgi(who: str, steps: Steps) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        run(steps, get_emitter(), track)
        return HttpResponse()

    request: Any = RequestFactory().get("/", headers={"X-Who": who})
    ProductAnalyticsMiddleware(view)(request)


def asgi(who: str, steps: Steps) -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        with ExitStack() as blocks:
            for step in steps[:-1]:
                blocks.enter_context(eval(step, {"identify": identify}))  # noqa: S307
            tracked = run(steps[-1:], get_emitter(), atrack)
            if tracked is not None:
                await tracked
        return HttpResponse()

    middleware: Any = ProductAnalyticsMiddleware(view)
    asyncio.run(middleware(AsyncRequestFactory().get("/", headers={"X-Who": who})))


def expected(who: str, linked: str) -> tuple[str | None, str | None, str | None]:
    """Read the last column: who comes first, then account and session, as far as they are named."""
    visitor = f"session of {who}"
    usr, _, rest = linked.partition(", ")
    if usr == "the visitor's session":
        return None, f"account of {who}", visitor
    account = f"account of {usr}" if "her account" in rest else "acme" if "acme" in rest else None
    session = visitor if "session" in rest else "s-1" if "s-1" in rest else None
    return usr, account, session


@pytest.mark.parametrize("world", [plain, flask, wsgi, asgi])
@pytest.mark.parametrize(("who", "steps", "linked"), CASES, ids=[" ".join((row[0], *row[1])) for row in CASES])
def test_row(who: str, steps: Steps, linked: str, world: World) -> None:
    """The event names whom the table says, in each framework."""
    given = {"APPLICATION_ID": "shop", "API_KEY": "k", "SPOOL_DIR": None, "STRICT": True, **RESOLVERS}
    with override_settings(DD_PA=given), capture_events() as events:
        world(who, steps)

    assert [(event.usr, event.account, event.session) for event in events] == [expected(who, linked)]


def test_the_table_is_read() -> None:
    """All of it."""
    assert len(CASES) == 21
