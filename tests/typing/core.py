"""Checked by mypy and pyright, never run: the public API of the core as its users write it."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_type
from unittest import TestCase
from uuid import UUID

from dd_pa import BuiltEvent, Emitter, EventDraft, Identity, RetryPolicy, Settings, Stats, identify
from dd_pa.testing import ANY, CapturedEvents, EventAssertions, TrackedEvent, capture_events

settings = Settings(application_id="app", api_key="key")
assert_type(Settings.from_env({}), Settings)
assert_type(Settings.from_mapping({"APPLICATION_ID": "app"}, label="DD_PA_{}"), Settings)

with Emitter(settings, retry=RetryPolicy(base=0.1)) as emitter:
    assert_type(emitter, Emitter)
    assert_type(emitter.track("order.placed"), str | None)
    assert_type(
        emitter.track("order.placed", {"total": Decimal(1)}, usr=1, account="a", session=UUID(int=0)), str | None
    )
    assert_type(emitter.integration.build("order.placed"), BuiltEvent | None)
    assert_type(emitter.flush(1), bool)
    assert_type(emitter.stats(), Stats)
    assert_type(emitter.integration.consent(), bool | None)
    emitter.track("order.placed", ["no", "mapping"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    emitter.track()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

with identify(usr="user-1", consent=True) as who:
    assert_type(who, Identity)


with capture_events(emitter) as events:
    assert_type(events, CapturedEvents)
    assert_type(events.assert_tracked("order.placed", {"total": ANY}, usr=1, exact=True, count=1), TrackedEvent)
    assert_type(events.names, list[str])


class OrderTest(EventAssertions, TestCase):
    def test_order(self) -> None:
        assert_type(self.assertTracked("order.placed"), TrackedEvent)


def scrub(draft: EventDraft) -> EventDraft | None:
    draft.attributes.pop("card", None)
    return draft if draft.name != "noise" else None


Settings(application_id="app", api_key="key", before_send=scrub, overflow="drop_newest")
Settings(overflow="drop_everything")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
