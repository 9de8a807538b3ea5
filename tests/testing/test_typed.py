"""Typed events in tests of an application: assertions, random events, and which events no test tracks."""

from __future__ import annotations

import types
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec import Meta, Struct

from dd_pa import Emitter, Event, Money, Personal
from dd_pa.emulator import Emulator
from dd_pa.testing import ANY, CapturedEvents, capture_events, events_of
from dd_pa_pytest.hypothesis_types import register
from tests.core.wire import settings

pytest_plugins = ["pytester"]


class Order(Struct):
    id: str
    total: Decimal


class Bought(Event, name="test.bought"):
    order: Order
    price: Money
    count: Annotated[int, Meta(ge=1, le=9)] = 1
    tags: list[str] | None = None


class Joined(Event, name="test.joined"):
    email: Personal[str]
    plan: str


BOUGHT = Bought(order=Order("o-1", Decimal("89.50")), price=Money(Decimal(3), "EUR"))


@pytest.fixture
def emitter() -> Emitter:
    return Emitter(settings(), transport=httpx.ASGITransport(app=Emulator()))


@pytest.fixture
def events(emitter: Emitter) -> CapturedEvents:
    with capture_events(emitter) as found:
        emitter.track(BOUGHT, usr="u-1")
        emitter.track(Joined(email="ada@example.com", plan="pro"), usr="u-1")
    return found


def test_assertions(events: CapturedEvents) -> None:
    """An event is compared with all its fields, a class by its name."""
    assert events.assert_tracked(BOUGHT, usr="u-1").attributes["count"] == 1
    events.assert_tracked(Bought, count=1)
    events.assert_tracked(Bought, {"price": ANY})
    other = Bought(order=Order("o-2", Decimal("89.50")), price=Money(Decimal(3), "EUR"))
    events.assert_not_tracked(other)
    with pytest.raises(AssertionError, match=r"'test\.bought'"):
        events.assert_tracked(other)


def test_personal_data_is_not_compared(events: CapturedEvents) -> None:
    """A setting decides what becomes of it."""
    events.assert_tracked(Joined(email="other@example.com", plan="pro"))
    with pytest.raises(AssertionError, match="plan: expected 'free', was 'pro'"):
        events.assert_tracked(Joined(email="ada@example.com", plan="free"))


@given(events_of(Bought))
@hypothesis_settings(max_examples=50, deadline=None)
def test_events_of_a_class(event: Bought) -> None:
    """Each can be sent as it is, and is on the plan."""
    strict = Emitter(settings(strict=True, spool_dir=None))

    assert strict.integration.build(event, usr="u-1") is not None
    assert 1 <= event.count <= 9


def test_hypothesis_makes_such_events_by_itself() -> None:
    """`from_type`, of classes that are there when hypothesis is imported, and of later ones."""
    register()  # as hypothesis does
    later = types.new_class("Later", (Event,), {"name": "test.later"}, _with_a_price)
    strict = Emitter(settings(strict=True, spool_dir=None))

    @given(st.from_type(Bought), st.from_type(later))
    @hypothesis_settings(max_examples=30, deadline=None)
    def check(bought: Bought, other: Event) -> None:
        for event in (bought, other):
            assert strict.integration.build(event, usr="u-1") is not None

    check()


def _with_a_price(names: dict[str, Any]) -> None:
    names.update(__annotations__={"price": Money}, __module__=__name__)


SHOP = """
from dd_pa import Event
class Seen(Event, name="cover.seen"):
    pass
class Unseen(Event, name="cover.unseen"):
    pass
"""
TEST = """
from dd_pa import Emitter, Settings
from shop import Seen
def test_seen(dd_pa_events):
    emitter = Emitter(Settings(application_id="a", api_key="k", intake_url="http://127.0.0.1:9", spool_dir=None))
    emitter.track(Seen(), usr="u-1")
    dd_pa_events.assert_tracked(Seen())
"""


@pytest.mark.parametrize(
    ("options", "code"),
    [(["--dd-pa-coverage"], 0), (["--dd-pa-coverage-required"], 1), (["--dd-pa-coverage-required", "-n2"], 1)],
)
def test_coverage(pytester: pytest.Pytester, options: list[str], code: int, project: Callable[..., None]) -> None:
    """Declared events that no test tracks are reported; where that is asked for, the run fails."""
    project(pytester)
    result = pytester.runpytest_subprocess("-p", "no:django", "-p", "no:randomly", "-p", "no:ddtrace", *options)

    assert result.ret == code
    result.stdout.fnmatch_lines(["never tracked: cover.unseen  shop.Unseen", "1 of 2 declared events were tracked"])


@pytest.fixture
def project() -> Callable[[pytest.Pytester], None]:
    """Write a project with two events, of which one is tracked by a test."""

    def write(pytester: pytest.Pytester) -> None:
        pytester.makepyfile(shop=SHOP, test_shop=TEST)
        pytester.makepyprojecttoml('[tool.dd-pa]\nevent-modules = ["shop"]\n')

    return write
