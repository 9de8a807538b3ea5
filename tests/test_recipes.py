"""The recipes of docs/recipes.md, run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider
from openfeature.track import TrackingEventDetails

from dd_pa import Emitter, Settings
from dd_pa.testing import capture_events
from dd_pa.testing.captured_events import CapturedEvents

PAGE = (Path(__file__).parents[1] / "docs/recipes.md").read_text()
BLOCKS = dict(re.findall(r"<!-- test: (\w+) -->\n```python\n(.*?)```", PAGE, flags=re.DOTALL))


@pytest.fixture
def emitter() -> Emitter:
    return Emitter(Settings(application_id="shop", api_key="k", spool_dir=None, strict=True))


@pytest.fixture
def tracked(emitter: Emitter) -> Iterator[CapturedEvents]:
    with capture_events() as events:
        yield events


def run(block: str, **names: Any) -> dict[str, Any]:
    exec(compile(BLOCKS[block], block, "exec"), names)  # noqa: S102 - the page's own
    return names


def test_stripe(emitter: Emitter, tracked: CapturedEvents) -> None:
    """The customer's event, whoever calls."""
    invoice = {"amount_paid": 8950, "currency": "eur", "metadata": {"user_id": "u-1", "account_id": "acme"}}
    run("stripe", emitter=emitter)["invoice_paid"]({"id": "evt_1", "data": {"object": invoice}})

    tracked.assert_tracked("invoice.paid", {"amount": 89.5, "currency": "eur"}, usr="u-1", account="acme", count=1)


def test_tenant() -> None:
    """The first label of the host; and before the key of a user, as each tenant has its own."""
    settings: dict[str, Any] = {}
    run("tenant", DD_PA=settings)
    of, visitor = {"Host": "acme.example.com"}, SimpleNamespace(pk=None, is_authenticated=False)

    assert settings["ACCOUNT_ID"](SimpleNamespace(headers=of)) == "acme"
    user = SimpleNamespace(pk=1, is_authenticated=True)
    assert settings["USER_ID"](SimpleNamespace(headers=of, user=user)) == "acme:1"
    assert settings["USER_ID"](SimpleNamespace(headers=of, user=visitor)) is None


def test_openfeature(emitter: Emitter, tracked: CapturedEvents) -> None:
    """Flags that were evaluated stand on later events, and a client's track() is one."""
    names = run("openfeature", emitter=emitter)
    flag = InMemoryFlag("on", {"on": True, "off": False})
    api.set_provider(names["TrackingProvider"](InMemoryProvider({"new-checkout": flag})))
    client = api.get_client()
    client.add_hooks([names["StampFlags"]()])
    stamping = Emitter(Settings(application_id="shop", api_key="k", spool_dir=None, before_send=names["before_send"]))
    token = names["flags"].set({})
    try:
        assert client.get_boolean_value("new-checkout", False) is True
        stamping.track("order.placed", usr="u-1")
        client.track("order.tracked", EvaluationContext("u-1"), TrackingEventDetails(value=89.5))
    finally:
        names["flags"].reset(token)
        api.clear_providers()

    tracked.assert_tracked("order.placed", {"flags": {"new-checkout": "on"}}, usr="u-1", exact=True)
    tracked.assert_tracked("order.tracked", {"value": 89.5}, usr="u-1")


def test_ai(emitter: Emitter, tracked: CapturedEvents) -> None:
    run("ai", emitter=emitter)

    assert tracked.names == ["answer.given", "answer.rated"]


def test_migration(emitter: Emitter, tracked: CapturedEvents) -> None:
    """Nothing that is tracked in the block is kept."""
    order = SimpleNamespace(recompute=lambda: emitter.track("order.changed", usr="u-1"))
    run("migration", orders=[order])

    tracked.assert_nothing_tracked()
    assert emitter.stats().dropped == {"consent": 1}
