"""What is known about the person of a request, in any WSGI or ASGI application, in jobs, and in queries."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from dd_pa import BuiltEvent, Emitter, Settings, SettingsError, asgi
from dd_pa.emulator import Emulator
from dd_pa.jobs import IdentityCarrier, bind
from dd_pa.query import QueryClient, events
from dd_pa.wsgi import ProductAnalyticsMiddleware, request_identity

VISITOR = "59cf2df2-579e-4935-ab25-357d54822ec2"
GIVEN: dict[str, Any] = {"application_id": "shop", "api_key": "k", "spool_dir": None, "strict": True}


def test_callable_and_anonymous_id() -> None:
    """A callable is asked with the environ; the browser's anonymous id is read from its cookie."""
    settings = Settings(**GIVEN, user_attributes=lambda environ: {"path": environ["PATH_INFO"]}, anonymous_id=True)
    emulator = Emulator()
    identity = request_identity(settings, user_id=lambda environ: "ada")

    with Emitter(settings, identity=identity, transport=httpx.ASGITransport(app=emulator)) as emitter:

        def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            emitter.track("seen")
            emitter.track("seen", usr="bob")
            start_response("200 OK", [])
            return [b""]

        with httpx.Client(transport=httpx.WSGITransport(app=ProductAnalyticsMiddleware(application))) as client:
            client.get("http://shop/cart", headers={"cookie": f"_dd_s_v2=aid={VISITOR}&c=0"})

    known = {"id": "ada", "anonymous_id": VISITOR, "path": "/cart"}
    assert sorted((event["usr"] for event in emulator.events), key=len) == [{"id": "bob"}, known]


def test_names_of_fields_are_refused() -> None:
    """A gateway knows no user who could have them."""
    with pytest.raises(SettingsError, match="must be a callable here"):
        request_identity(Settings(**GIVEN, user_attributes=("plan",)))


@pytest.mark.parametrize("wrong", [("*",), ("__all__",), ("id",), ("password",), {"plan"}, "plan", 1])
def test_fields_are_named_one_by_one(wrong: Any) -> None:
    """There is no way to say all of them."""
    with pytest.raises(SettingsError, match="USER_ATTRIBUTES"):
        Settings(**GIVEN, user_attributes=wrong)


COOKIE = (b"cookie", f"_dd_s_v2=aid={VISITOR}&c=0".encode())


def usr_of(event: BuiltEvent | None) -> Any:
    assert event is not None
    return json.loads(event.body)["usr"]


def test_of_an_asgi_request() -> None:
    """Asked once with the scope, for its own user; `bind()` takes it along, a task that lives on does not."""
    asked: list[Any] = []

    def known(scope: Any) -> dict[str, Any]:
        asked.append(scope["path"])
        return {"path": scope["path"]}

    made = Settings(**GIVEN, user_attributes=known, anonymous_id=True)
    emitter = Emitter(made, identity=asgi.request_identity(made, user_id=lambda scope: "ada"))
    found: list[Any] = []
    later: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        async def outlives() -> None:
            await answered.wait()
            found.append(usr_of(emitter.integration.build("late", usr="ada")))

        found.extend(usr_of(emitter.integration.build("seen", usr=usr)) for usr in (None, "ada", "bob"))
        later.extend([asyncio.create_task(outlives()), bind(emitter.integration.build)])

    async def visit() -> None:
        scope: Any = {"type": "http", "path": "/cart", "headers": [COOKIE]}
        await asgi.ProductAnalyticsMiddleware(application)(scope, None, None)  # type: ignore[arg-type]
        answered.set()
        await later[0]

    answered = asyncio.Event()
    asyncio.run(visit())

    ada = {"id": "ada", "anonymous_id": VISITOR, "path": "/cart"}
    assert found == [ada, ada, {"id": "bob"}, {"id": "ada"}]
    assert usr_of(later[1]("bound")) == ada
    assert asked == ["/cart", "/cart"]  # in the request, and where its place for what is known has gone


def test_a_job_carries_none() -> None:
    """Neither attributes nor the anonymous id: what was known when it was queued is no news, and a header no place."""
    made = Settings(**GIVEN, user_attributes=lambda environ: {"plan": "pro"}, anonymous_id=True, job_secret="s" * 40)
    emitter = Emitter(made, identity=request_identity(made, user_id=lambda environ: "ada"))
    carrier = IdentityCarrier(emitter)
    headers: list[Any] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        assert usr_of(emitter.integration.build("seen"))["plan"] == "pro"
        headers.append(carrier.header("task", "1"))
        return []

    ProductAnalyticsMiddleware(application)({"HTTP_COOKIE": COOKIE[1].decode()}, lambda *_: None)

    assert "pro" not in headers[0]
    assert VISITOR not in headers[0]
    with carrier.restored(headers[0], "task", "1"):
        assert usr_of(emitter.integration.build("ran")) == {"id": "ada"}
        assert usr_of(emitter.integration.build("ran", usr="ada")) == {"id": "ada"}


def test_queries_find_it() -> None:
    """`@usr.plan` and `@account.tier`, as searches, facets and columns."""
    emulator = Emulator()
    plans = {"ada": "pro", "bob": "free", "carol": "pro"}
    with emulator.running() as url:
        made = Settings(
            **(GIVEN | {"intake_url": url, "app_key": "0" * 40}),
            user_attributes=lambda environ: {"plan": plans[environ["who"]]},
            account_attributes=lambda environ: {"tier": len(environ["who"])},
            account_id=lambda environ: "acme",
        )
        emitter = Emitter(made, identity=request_identity(made, user_id=lambda environ: environ["who"]))

        def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            emitter.track("seen")
            return []

        with emitter:
            for who in plans:
                ProductAnalyticsMiddleware(application)({"who": who}, lambda *_: None)
            assert emitter.flush(60)
        with QueryClient(made) as client:
            by_plan = client.run(events("seen").count().by("@usr.plan").last(days=1)).rows
            pro = client.run(events("seen").where("@usr.plan:pro").distinct("@usr.id").last(days=1)).value
            rows = client.run(events("seen").where("@account.tier:>3").last(days=1).list("@usr.id", "@usr.plan")).rows

    assert {row["@usr.plan"]: row["value"] for row in by_plan} == {"pro": 2, "free": 1}
    assert pro == 2
    assert [(row["@usr.id"], row["@usr.plan"]) for row in rows] == [("carol", "pro")]
