"""What is known about the person of a request, in any WSGI application."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from dd_pa import Emitter, Settings, SettingsError
from dd_pa.emulator import Emulator
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
