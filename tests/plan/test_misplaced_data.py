"""Events in which something else is where personal data would be: what that may hide is not sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from dd_pa import Emitter, Event, Personal
from tests.plan.test_tracking import attributes_of

Make = Callable[..., Emitter]

ADA = "ada@example.com"


class Customer(msgspec.Struct):
    age: int = 3
    mail: Personal[str] = ADA


class Order(msgspec.Struct):
    customer: Customer | str | None = None


class Met(Event, name="test.misplaced.met"):
    number: int = 1
    customer: Customer | None = None
    several: list[Customer] = msgspec.field(default_factory=list)
    by_name: dict[str, Customer] = msgspec.field(default_factory=dict)
    deep: dict[str, list[Order]] = msgspec.field(default_factory=dict)
    either: Customer | str | None = None


ROWS = [
    pytest.param("customer", ADA, None, id="text for object"),
    pytest.param("customer", 7, None, id="number for object"),
    pytest.param("customer", [{"mail": ADA}], None, id="list for object"),
    pytest.param("customer", {"age": "3", "mail": ADA}, {"age": "3"}, id="another mistake"),
    pytest.param("several", {"mail": ADA}, None, id="object for list"),
    pytest.param("several", [ADA, {"mail": ADA, "age": 3}], [{"age": 3}], id="text among objects"),
    pytest.param("by_name", {"mail": ADA, "age": 3}, {}, id="object for map"),
    pytest.param("by_name", [Customer()], None, id="list for map"),
    pytest.param("deep", {"x": [{"customer": [ADA]}, {"customer": Customer()}]}, {"x": [{}, {"customer": {"age": 3}}]},
                 id="deep"),
    pytest.param("deep", {"x": ADA}, {}, id="deep text for list"),
    pytest.param("either", [ADA], None, id="none of two"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value", "left"), ROWS)
@pytest.mark.parametrize("treatment", ["omit", "hash"])
def test_what_may_hide_marks_is_left_out(make: Make, field: str, value: Any, left: Any, treatment: str) -> None:
    """Whole, and the rest of the event is sent; `send` sends it."""
    emitter = make(strict=False, personal_data=treatment, personal_data_key="k")
    attributes = attributes_of(emitter, Met(**{field: value}))

    assert ("ada" in repr(attributes), attributes["number"], emitter.stats().off_plan) == (False, 1, 1)
    assert treatment == "hash" or attributes.get(field) == left
    assert repr(attributes_of(make(strict=False, personal_data="send"), Met(**{field: value}))).count(ADA) >= (
        value != 7
    )


def test_what_the_plan_has_stays(make: Make) -> None:
    """Also in an event that is off the plan elsewhere."""
    event = Met(number="one", either="a text", customer=Customer(), deep={"x": [Order(customer="b")]})  # type: ignore[arg-type]

    assert attributes_of(make(strict=False), event) == {
        "number": "one",
        "customer": {"age": 3},
        "several": [],
        "by_name": {},
        "deep": {"x": [{"customer": "b"}]},
        "either": "a text",
    }
