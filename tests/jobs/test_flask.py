from __future__ import annotations

import time
from typing import Any

from flask import Flask, request

from dd_pa import Identity
from dd_pa.jobs import IdentityCarrier
from dd_pa_flask import ProductAnalytics

SESSION = "2b1b778e-9ef6-45d6-89b8-e68ca6ceb436"


def make_app(**config: Any) -> Flask:
    app = Flask("shop")
    app.config.from_mapping(DD_PA_APPLICATION_ID="shop", DD_PA_API_KEY="k", DD_PA_SPOOL_DIR=None, **config)
    app.config["DD_PA_USER_ID"] = lambda request: request.args["user"]
    ProductAnalytics(app)
    return app


def carrier(app: Flask) -> IdentityCarrier:
    return IdentityCarrier(app.extensions["dd_pa"].emitter)


def test_a_job_of_a_flask_request() -> None:
    """Is for its user and browser session, in a worker without a request; signed with SECRET_KEY, or a former one."""
    web, worker = make_app(SECRET_KEY="old"), make_app(SECRET_KEY=b"new", SECRET_KEY_FALLBACKS=["old"])
    headers: list[str | None] = []

    @web.get("/order")
    def order() -> str:
        headers.append(carrier(web).header("ship", request.args["job"]))
        return "Thank you!"

    now = int(time.time() * 1000)
    cookie = f"_dd_s_v2=id={SESSION}&created={now - 1000}&expire={now + 900_000}&c=0"
    answer = web.test_client(use_cookies=False).get("/order?user=u-1&job=7", headers={"Cookie": cookie})

    assert (answer.status_code, "Vary" in answer.headers) == (200, False)
    emitter = worker.extensions["dd_pa"].emitter
    with worker.app_context(), carrier(worker).restored(headers[0], "ship", "7"):
        assert emitter.integration.identity() == Identity(usr="u-1", session=SESSION)
    with worker.app_context(), carrier(worker).restored(headers[0], "ship", "8"):
        assert emitter.integration.identity() == Identity()


def test_a_secret_of_its_own() -> None:
    """JOB_SECRET wins over SECRET_KEY."""
    app = make_app(SECRET_KEY="key", DD_PA_JOB_SECRET="of-jobs")

    assert app.extensions["dd_pa"].emitter.settings.reveal_job_secrets() == ["of-jobs"]
