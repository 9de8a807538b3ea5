"""The quick way of attributes against their definition: `AttributeCleaner`, to which any mapping but a dict goes."""

from __future__ import annotations

import datetime as dt
import math
import sys
import uuid
from collections.abc import Callable
from decimal import Decimal
from types import FrameType, MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from dd_pa import EventError, Identity
from dd_pa.capture import event as event_module
from dd_pa.capture.attributes import LONG, MAX_ATTRIBUTES, MAX_BYTES, MAX_DEPTH, RESERVED
from dd_pa.capture.event import EventBuilder
from dd_pa.capture.fast_path import MOST_NAMES, GoodNames, NotPlainError, plain
from tests.core.attribute_values import (
    ANYTHING,
    BAD_KEYS,
    CYCLE,
    GOOD,
    MIXED,
    REFUSED,
    Colour,
    HostileDate,
    HostileInt,
    HostileKey,
    HostileText,
    HostileUUID,
    Line,
    Order,
    Plan,
    Subtext,
    lazy_text,
)
from tests.core.wire import settings, without_ids

USR = Identity(usr="u-1")
BUILDERS = EventBuilder(settings(strict=True)), EventBuilder(settings())
MANY = hypothesis_settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Zone(dt.tzinfo):
    """A time zone of the application's own, with a mistake in it."""

    def utcoffset(self, moment: dt.datetime | None) -> dt.timedelta:
        raise RuntimeError("no zone")

    dst = utcoffset

    def tzname(self, moment: dt.datetime | None) -> str:
        return "nowhere"


def nested(levels: int, value: Any, wrap: Callable[[Any], Any]) -> Any:
    """Put a value into containers."""
    for _ in range(levels):
        value = wrap(value)
    return value


BOMB: list[Any] = [1]
for _ in range(25):
    BOMB = [BOMB, BOMB]
CONTAINERS: list[Callable[[Any], Any]] = [lambda value: {"k": value}, lambda value: [value], lambda value: (value,)]
KOLKATA = dt.timezone(dt.timedelta(hours=5, minutes=30))
VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**30, 2**31, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**30),
    *(0.0, -0.0, 1e308, 5e-324, math.nan, math.inf, -math.inf),
    *("", "a", "x" * LONG, "x" * (LONG + 1), "é" * 600, "\udc80", "a\n\0\x1b", "x" * MAX_BYTES, "\0" * 200_000),
    *(Subtext("q"), Subtext("usr"), HostileText("x"), HostileInt(5), Colour.RED, Plan.FREE, Plan.PRICE, lazy_text("l")),
    *map(Decimal, ("1.5", "0", "-0", "NaN", "sNaN", "Infinity", "1E+64", "1E+65", "1E-64", "1E-65", "0E-100", "1E+5")),
    *map(Decimal, ("9" * 64, "9" * 65, "0E+1000000", "1E+1000000", "0." + "1" * 62, "0." + "1" * 64, "-" + "9" * 64)),
    *(dt.datetime(2026, 1, 1), dt.datetime(1, 1, 1, 1, 2, 3, 4, dt.UTC), dt.datetime(2026, 1, 1, tzinfo=KOLKATA)),
    *(dt.datetime(2026, 1, 1, tzinfo=Zone()), dt.date(1, 1, 1), dt.date(2026, 1, 1), HostileDate(2026, 1, 1)),
    *(dt.time(1, 2, 3), dt.time(1, 2, 3, 4, dt.UTC), dt.time(1, tzinfo=KOLKATA), dt.timedelta.max, dt.timedelta(-1)),
    *(uuid.UUID(int=0), uuid.UUID(int=2**100), HostileUUID(int=1), b"x", object(), 1j, range(3), int, Order),
    *((), (1, (2, [3, {"a": (dt.date(2026, 1, 1),)}])), Line("a", 1), {1}, frozenset(["a"]), Order(Decimal(1))),
    *(BOMB, CYCLE),
    *({"usr": 1}, {"": 1}, {1: 2}, {1: 2, "1": 3}, {None: 1}, {Subtext("k"): 1}, {HostileKey("b"): 1, "b": 2}),
    *({Plan.FREE: 1}, {uuid.UUID(int=5): 1}, {"k" * LONG: 1}, {"k" * (LONG + 1): 1}, {"\udc80": 1}),
    *(nested(levels, 1, wrap) for levels in (MAX_DEPTH - 1, MAX_DEPTH) for wrap in CONTAINERS),
    *(nested(MAX_DEPTH - 2, value, CONTAINERS[1]) for value in (Decimal(1), {1: dt.datetime(2026, 1, 1)})),
    *([1] * count for count in (MAX_ATTRIBUTES - 2, MAX_ATTRIBUTES - 1, MAX_ATTRIBUTES, MAX_ATTRIBUTES + 1)),
    *({f"k{n}": n for n in range(count)} for count in (MAX_ATTRIBUTES - 1, MAX_ATTRIBUTES)),
    *((["x" * LONG] * 900), ["x" * 20_000] * 40, ["x" * 20_000] * 60, [{1: 2}] * 400),
    *REFUSED.values(),
]  # fmt: skip
WRAPS: dict[str, Callable[[Any], dict[Any, Any]]] = {
    "alone": lambda value: {"k": value},
    "between": lambda value: {"a": 1, "k": value, "z": "e"},
    "inside": lambda value: {"o": {"k": value, "l": [value]}},
    "in a tuple": lambda value: {"o": (value, 1)},
    "with others": lambda value: {"at": dt.datetime(2026, 1, 1), "k": value, "p": Decimal("2.50"), "q.r": 1},
    "after too much": lambda value: {"list": [1] * (MAX_ATTRIBUTES - 5), "k": value, "l": 1},
}
RESERVED_KEYS = [
    key for name in sorted(RESERVED) for key in (name, f"{name}.id", f"{name}.", f"x.{name}", name.upper(), f" {name}")
]


def outcome(builder: EventBuilder, attributes: Any) -> object:
    """Return all that can be seen of what becomes of attributes."""
    try:
        event, repairs = builder.build("x.y", attributes, USR)
    except EventError as error:
        return "too long" if " bytes" in str(error) else str(error)
    return list(without_ids(event.body).items()), event.body.partition(b'"usr"')[2], list(repairs)


def check(attributes: dict[Any, Any]) -> None:
    """Compare both ways, in both modes; twice, because what is remembered must change nothing."""
    for builder in BUILDERS:
        expected = outcome(builder, MappingProxyType(attributes))
        assert [outcome(builder, attributes) for _ in range(2)] == [expected] * 2


@pytest.mark.parametrize("wrap", [pytest.param(wrap, id=name) for name, wrap in WRAPS.items()])
def test_any_value_anywhere(wrap: Callable[[Any], dict[Any, Any]]) -> None:
    """Taken, refused, repaired and written alike."""
    for value in VALUES:
        check(wrap(value))


@pytest.mark.parametrize("value", [1, dt.datetime(2026, 1, 1), Decimal(1)], ids=["plain", "copied", "checked"])
def test_any_name(value: object) -> None:
    """Reserved or not, on the first level or below, before and after a good one is known."""
    for key in (
        *BAD_KEYS,
        *RESERVED_KEYS,
        *map(Subtext, RESERVED_KEYS),
        "k" * LONG,
        "k" * (LONG + 1),
        1,
        None,
        Plan.FREE,
    ):
        check({"a": 1, key: value})
        check({"n": {key: value}})


@MANY
@given(GOOD)
def test_good_attributes(attributes: dict[str, Any]) -> None:
    """Of the documented types, which all go the quick way."""
    check(attributes)


@MANY
@given(MIXED)
def test_mixed_attributes(attributes: dict[Any, Any]) -> None:
    """Good ones and bad ones side by side."""
    check(attributes)


@MANY
@given(ANYTHING)
def test_any_attributes(attributes: Any) -> None:
    """Whatever is passed."""
    if type(attributes) is dict:
        check(attributes)


@pytest.mark.parametrize("value", [
    pytest.param(Decimal("19.90"), id="decimal"),
    pytest.param(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), id="datetime"),
    pytest.param(dt.date(2026, 1, 1), id="date"),
    pytest.param(uuid.UUID(int=1), id="uuid"),
    pytest.param(Plan.FREE, id="enum"),
    pytest.param((1, 2), id="tuple"),
    pytest.param({"deep": [dt.datetime(2026, 1, 1)]}, id="nested"),
    pytest.param("x" * 5000, id="long-text"),
    pytest.param({1, 2}, id="set"),
    pytest.param(Order(1), id="dataclass"),
    pytest.param(Subtext("safe"), id="subclass-of-text"),
    pytest.param({1: "a"}, id="numbered"),
])  # fmt: skip
def test_one_rare_value_costs_itself_only(value: object) -> None:
    """A thousand neighbours cost not one call more: nobody but the walk looks at them."""
    steps = [calls(BUILDERS[0], {f"k{n}": n for n in range(count)} | {"q.r": 1, "value": value}) for count in (5, 900)]

    assert steps[0] == steps[1]


def calls(builder: EventBuilder, attributes: dict[str, Any]) -> int:
    """Count the functions of Python that the second event with these attributes calls."""
    counted = 0

    def count(frame: FrameType, what: str, argument: object) -> None:
        nonlocal counted
        counted += what == "call"

    builder.build("x.y", attributes, USR)
    sys.setprofile(count)
    try:
        builder.build("x.y", attributes, USR)
    finally:
        sys.setprofile(None)
    return counted


def test_what_is_remembered_is_bounded() -> None:
    """Names that are made up, as ids in names are, cost no memory without end."""
    names, builder = GoodNames(), EventBuilder(settings())
    for number in range(MOST_NAMES + 5):
        plain({f"k{number}": 1}, names)
    for number in range(event_module.MOST_FRAGMENTS + 5):
        builder.build(f"n{number}", None, Identity(usr=f"u{number}"))

    assert len(names.known) == 5
    assert (len(builder.starts), len(builder.links)) == (5, 5)


def test_names_that_are_not_text_are_not_remembered() -> None:
    """Whatever they claim to be equal to."""
    names = GoodNames()
    plain({"k": 1}, names)

    class Twin(str):
        """Equal to a name that is known, and written otherwise."""

        def __hash__(self) -> int:
            return hash("k")

        def __eq__(self, other: object) -> bool:
            return other == "k"

    with pytest.raises(NotPlainError):
        plain({Twin("usr"): 1}, names)
