"""The assertions, and what they say when they fail."""

from __future__ import annotations

import itertools
import pickle
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any
from unittest import TestCase

import msgspec
import pytest
from pydantic import BaseModel

from dd_pa import Emitter
from dd_pa.testing import ANY, CapturedEvents, EventAssertions, capture_events
from tests.core.wire import settings
from tests.testing.test_capture import failure

USER = uuid.UUID("33333333-3333-4333-8333-333333333333")


class Plan(Enum):
    TEAM = "team"


@pytest.fixture
def events() -> Iterator[CapturedEvents]:
    """An order with all that there is, and another one with next to nothing."""
    emitter = Emitter(settings())
    with capture_events() as captured:
        emitter.track(
            "order.placed",
            {
                "order": {"total": Decimal("42.50"), "items": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}]},
                "plan": Plan.TEAM,
                "on": date(2026, 1, 2),
                "gift": True,
                "tags": {"red", "blue", "green"},
                "note": None,
            },
            usr=1,
            account=USER,
        )
        emitter.track("order.placed", {"order": {"total": 1}}, session="s-1")
        yield captured


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param(None, id="any"),
        pytest.param({}, id="none-named"),
        pytest.param({"order": {"total": 42.5}}, id="part"),
        pytest.param({"order": {"total": Decimal("42.5")}, "plan": Plan.TEAM, "on": date(2026, 1, 2)}, id="as-given"),
        pytest.param({"tags": {"green", "red", "blue"}}, id="set"),
        pytest.param({"plan": "team", "on": "2026-01-02"}, id="as-on-the-wire"),
        pytest.param({"order": {"items": [{"sku": "a"}, ANY]}}, id="part-of-an-item"),
        pytest.param({"order": {"items": ({"sku": "a"}, {"n": 2})}}, id="tuple"),
        pytest.param({"order": ANY, "note": None, "gift": True}, id="any-value"),
        pytest.param({"order": {"total": pytest.approx(42.4, abs=0.2)}}, id="matcher"),
    ],
)
def test_a_part_is_enough(events: CapturedEvents, attributes: dict[str, Any] | None) -> None:
    """At each level; values are given as in `track()`, or as they are on the wire."""
    found = events.assert_tracked("order.placed", attributes, usr=1, count=1)

    assert found == events[0]


@pytest.mark.parametrize(
    ("attributes", "difference"),
    [
        pytest.param({"order": {"total": 42}}, "order.total: expected 42, was 42.5", id="value"),
        pytest.param({"order": {"tax": ANY}}, "order.tax: expected <ANY>, is missing", id="missing"),
        pytest.param({"order": 1}, "order: expected 1, was {'total': 42.5, 'items': [", id="kind"),
        pytest.param({"order": {"items": [ANY]}}, "order.items: expected [<ANY>], was [{", id="length"),
        pytest.param({"order": {"items": [{"n": 2}, ANY]}}, "order.items[0].n: expected 2, was 1", id="item"),
        pytest.param({"gift": 1}, "gift: expected 1, was True", id="true-is-no-1"),
        pytest.param({"tags": {"red"}}, "tags: expected {'red'}, was [", id="set"),
        pytest.param({"note": False}, "note: expected False, was None", id="null-is-not-false"),
        pytest.param({"on": date(2026, 1, 3)}, "on: expected datetime.date(2026, 1, 3), was '2026-01-02'", id="date"),
    ],
)
def test_what_differs_is_said_by_its_path(events: CapturedEvents, attributes: Any, difference: str) -> None:
    """Of the nearest event only."""
    message = failure(lambda: events.assert_tracked("order.placed", attributes, usr=1))

    [line] = message.split("and differs in\n")[1].split("\n2 events")[0].splitlines()
    assert line.strip().startswith(difference)


@pytest.mark.parametrize(
    ("links", "matches"),
    [
        pytest.param({"usr": 1}, 1, id="number"),
        pytest.param({"usr": "1"}, 1, id="text"),
        pytest.param({"account": USER}, 1, id="uuid"),
        pytest.param({"usr": ANY}, 1, id="any"),
        pytest.param({"usr": None}, 1, id="none"),
        pytest.param({"usr": None, "session": "s-1", "account": None}, 1, id="all"),
        pytest.param({}, 2, id="unsaid"),
        pytest.param({"usr": 2}, 0, id="other"),
        pytest.param({"usr": None, "account": ANY}, 0, id="any-must-be-there"),
    ],
)
def test_ids(events: CapturedEvents, links: dict[str, Any], matches: int) -> None:
    """Compared as text, as they are sent; what is left out is not looked at."""
    events.assert_tracked("order.placed", **links, count=matches)
    if matches:
        failure(lambda: events.assert_not_tracked("order.placed", **links))
    else:
        events.assert_not_tracked("order.placed", **links)


@dataclass
class Labels:
    tags: Any


class LabelsOfModel(BaseModel):
    tags: Any


class LabelsOfStruct(msgspec.Struct):
    tags: Any


PAIRS = [(one, two) for one, two in itertools.permutations("abcdefgh", 2) if list({one, two}) != list({two, one})]
"""Texts whose set is in another order if they come in another one; there are some with any seed of hashes."""


@pytest.mark.parametrize("kind", [Labels, LabelsOfModel, LabelsOfStruct])
def test_objects_hold_sets_and_matchers(kind: Any) -> None:
    """Sets in any order; of an object all members are compared."""
    emitter = Emitter(settings())
    assert PAIRS
    for one, two in PAIRS:
        with capture_events() as captured:
            emitter.track("order.tagged", {"labels": [kind(tags={one, two})]}, usr=1)
        captured.assert_tracked("order.tagged", {"labels": [kind(tags={two, one})]})
        captured.assert_tracked("order.tagged", {"labels": [kind(tags=ANY)]})
        captured.assert_not_tracked("order.tagged", {"labels": [kind(tags={"other"})]})
    captured.assert_not_tracked("order.tagged", {"labels": [Other()]})


@dataclass
class Other:
    """A part of the others."""


def test_exact(events: CapturedEvents) -> None:
    """Then nothing may be left out, at any level."""
    events.assert_tracked("order.placed", {"order": {"total": 1}}, exact=True)

    message = failure(lambda: events.assert_tracked("order.placed", {"order": {}}, exact=True, session="s-1"))
    assert "  order.total: not expected, was 1\n" in message
    failure(lambda: events.assert_tracked("order.placed", exact=True))


def test_a_missing_event(events: CapturedEvents) -> None:
    """The nearest one is shown, by its name first, and then all."""
    first, second = map(str, events)

    message = failure(lambda: events.assert_tracked("order.place", {"order": {"total": 2}}, session="s-1"))

    assert message.splitlines() == [
        "'order.place' {'order': {'total': 2}} session='s-1' was not tracked",
        "The nearest event is",
        f"  {second}",
        "and differs in",
        "  name: expected 'order.place', was 'order.placed'",
        "  order.total: expected 2, was 1",
        "2 events were tracked in all:",
        f"  {first}",
        f"  {second}",
    ]


@pytest.mark.parametrize(
    ("check", "start"),
    [
        pytest.param(
            lambda events: events.assert_tracked("order.placed", count=1),
            "'order.placed' was tracked 2 times, not 1",
            id="count",
        ),
        pytest.param(
            lambda events: events.assert_tracked("order.placed", usr=1, count=0),
            "'order.placed' usr=1 was tracked 1 times, not 0",
            id="count-0",
        ),
        pytest.param(
            lambda events: events.assert_tracked("order.paid", count=1), "'order.paid' was not tracked", id="none"
        ),
        pytest.param(lambda events: events.assert_nothing_tracked(), "2 events were tracked:", id="nothing"),
        pytest.param(
            lambda events: events.assert_not_tracked("order.placed", {"order": {"total": 1}}),
            "'order.placed' {'order': {'total': 1}} was tracked:\n  order.placed {\"order\": {\"total\": 1}} session",
            id="not",
        ),
        pytest.param(
            lambda events: events.assert_order("order.placed", "order.placed", "order.placed"),
            "'order.placed' was not tracked in the order order.placed → order.placed → order.placed",
            id="order",
        ),
    ],
)
def test_messages(events: CapturedEvents, check: Callable[[CapturedEvents], None], start: str) -> None:
    """Each says what was expected, and what there was."""
    assert failure(lambda: check(events)).startswith(start)


def test_order() -> None:
    """Of these names; others may lie between them."""
    emitter = Emitter(settings())
    with capture_events() as events:
        for name in ("cart.opened", "page.viewed", "order.placed"):
            emitter.track(name, usr=1)

    events.assert_order("cart.opened", "order.placed")
    events.assert_order()
    failure(lambda: events.assert_order("order.placed", "cart.opened"))


def test_a_long_list_is_cut() -> None:
    """A message is to be read."""
    emitter = Emitter(settings())
    with capture_events() as events:
        for _ in range(25):
            emitter.track("a.b", usr=1)

    lines = failure(events.assert_nothing_tracked).splitlines()
    assert (len(lines), lines[-1]) == (22, "  … and 5 more")


class _Case(EventAssertions, TestCase):
    __test__ = False  # not pytest's to run: the test below does
    emitter = Emitter(settings())

    def check(self) -> None:
        self.assertNothingTracked()
        self.emitter.track("a.b", {"n": 1}, usr=1)
        self.assertTracked("a.b", {"n": 1}, usr=1, account=None, session=None, exact=True, count=1)
        self.assertNotTracked("a.b", {"n": 2}, usr=2, account=ANY, session=ANY, exact=True)
        failure(self.assertNothingTracked)


@pytest.mark.parametrize("_again", [1, 2])
def test_the_mixin(_again: int) -> None:
    """Each test has its own events."""
    result = _Case("check").run()

    assert result is not None
    assert (result.failures, result.errors, result.testsRun) == ([], [], 1)


def test_a_test_can_be_pickled_with_its_events() -> None:
    """Django's parallel runner does so when a subtest fails."""
    case = _Case("check")
    case.setUp()
    case.emitter.track("a.b", usr=1)

    copy = pickle.loads(pickle.dumps(case))  # noqa: S301 - our own
    case.doCleanups()

    assert copy.dd_pa_events.names == ["a.b"]
