"""Typed events on their way: what is on the wire, what is off the plan, and what becomes of personal data."""

from __future__ import annotations

import datetime as dt
import enum
import logging
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import UNSET, Struct, UnsetType
from pydantic import BaseModel

from dd_pa import Emitter, Event, EventDraft, EventError, Money, OffPlanError, Personal, SettingsError
from dd_pa.emulator import Emulator
from dd_pa.testing import capture_events
from tests.core.wire import settings, without_ids

Make = Callable[..., Emitter]


class Tier(enum.Enum):
    GOLD = "gold"
    BASIC = "basic"


class Order(Struct):
    id: str
    total: Decimal
    lines: list[str] = []


@dataclass
class Address:
    city: str


class Customer(BaseModel):
    tier: Tier
    since: dt.date | None = None
    address: Address | None = None


class CheckoutCompleted(Event, name="test.checkout_completed", owner="payments"):
    """A customer has paid."""

    order: Order
    coupon: str | None = None
    gift: bool | UnsetType = UNSET


class Everything(Event, name="test.everything"):
    at: dt.datetime
    took: dt.timedelta
    day: dt.date
    id: uuid.UUID
    tier: Tier
    customer: Customer
    address: Address
    by_country: dict[str, int]
    money: Money


class SignedUp(Event, name="test.signed_up"):
    email: Personal[str]
    plan: str
    friends: list[Personal[str]] = msgspec.field(default_factory=list)


ORDER = Order(id="o-1", total=Decimal("89.50"), lines=["a"])


def attributes_of(emitter: Emitter, event: Event) -> dict[str, Any]:
    """Return the attributes of an event that is built now, as they are on the wire."""
    built = emitter.integration.build(event, usr="u-1")
    assert built is not None
    known = {"type", "application", "event", "usr", "dd_pa"}
    return {key: value for key, value in without_ids(built.body).items() if key not in known}


def test_a_typed_event(make: Make, emulator: Emulator) -> None:
    """It arrives under its class's name, with its fields as attributes."""
    emitter = make()

    event_id = emitter.track(CheckoutCompleted(order=ORDER, coupon="SPRING"), usr="u-1")

    assert emitter.flush(60)
    (body,) = emulator.events
    assert (body["event"], body["dd_pa"]["event_id"]) == ({"name": "test.checkout_completed"}, event_id)
    assert body["order"] == {"id": "o-1", "total": 89.5, "lines": ["a"]}
    assert (body["coupon"], "gift" in body) == ("SPRING", False)


def test_the_same_bytes_as_a_dict(make: Make) -> None:
    """Whether an event is written as a class or as a dict makes no difference on the wire, whatever its types."""
    emitter = make()
    moment = dt.datetime(2026, 11, 27, 8, 30, tzinfo=dt.UTC)
    event = Everything(
        at=moment,
        took=dt.timedelta(minutes=2),
        day=moment.date(),
        id=uuid.UUID(int=7),
        tier=Tier.GOLD,
        customer=Customer(tier=Tier.BASIC, since=moment.date(), address=Address(city="Ulm")),
        address=Address(city="Bonn"),
        by_country={"DE": 3},
        money=Money(Decimal("3.10"), "EUR"),
    )
    built = emitter.integration.build(event, usr="u-1")
    other = emitter.integration.build(
        "test.everything", {name: getattr(event, name) for name in event.__struct_fields__}, usr="u-1"
    )

    assert built is not None
    assert other is not None
    assert without_ids(built.body) == without_ids(other.body)
    assert b'"money":{"amount":3.10,"currency":"EUR"}' in built.body
    assert b'"at":"2026-11-27T08:30:00+00:00"' in built.body
    assert b'"took":120.0' in built.body


WRONG = [
    (msgspec.structs.replace(ORDER, id=7), "order.id: Expected `str`, got `int`"),
    (msgspec.structs.replace(ORDER, total="1.50"), "order.total: Expected `float`, got `str`"),
    (msgspec.structs.replace(ORDER, lines=["a", 1]), "order.lines[1]: Expected `str`, got `int`"),
    ({"id": "o"}, "order: Object missing required field `total`"),
]


@pytest.mark.parametrize(("order", "problem"), WRONG)
def test_off_plan_in_strict_mode(make: Make, order: Any, problem: str) -> None:
    """A value of another type raises, with its path."""
    emitter = make(strict=True)

    with pytest.raises(OffPlanError) as error:
        emitter.track(CheckoutCompleted(order=order), usr="u-1")

    assert str(error.value) == problem


@pytest.mark.parametrize(("order", "problem"), WRONG)
def test_off_plan_in_a_test(make: Make, order: Any, problem: str) -> None:
    """A test that looks at the events learns of it, strict or not."""
    emitter = make(strict=False)

    with capture_events(), pytest.raises(OffPlanError, match="order"):
        emitter.track(CheckoutCompleted(order=order), usr="u-1")


class EachKind(Event, name="test.each_kind"):
    at: Any = None
    tier: Tier | None = None
    size: Literal["s", "m"] | None = None
    sizes: tuple[Literal["s", "m"], ...] = ()
    by_country: dict[str, Tier] | None = None
    level: Literal[1, 2] | None = None
    code: Annotated[str, msgspec.Meta(pattern="^[a-z]$")] = "a"
    day: dt.date | None = None
    id: uuid.UUID | None = None
    order: Order | None = None


VALUE = "ada@example.test - at `$ada`"


@pytest.mark.parametrize(
    "wrong",
    [
        *({name: VALUE} for name in EachKind.__struct_fields__ if name != "at"),
        {"sizes": [VALUE]},
        {"by_country": {"DE": VALUE}},
        {"by_country": {VALUE: 1}},
        {"level": 4711},
        {"order": Order(id="1", total=VALUE)},  # type: ignore[arg-type]
    ],
    ids=str,
)
def test_what_is_off_the_plan_is_told_without_its_value(
    make: Make, caplog: pytest.LogCaptureFixture, wrong: dict[str, Any]
) -> None:
    """Of whichever kind the field is: neither a log line nor an error shows it."""
    event = EachKind(**wrong)

    with caplog.at_level(logging.WARNING, logger="dd_pa"):
        assert make(strict=False).track(event, usr="u-1")
    with pytest.raises(OffPlanError) as error:
        make(strict=True).track(event, usr="u-1")

    assert str(error.value).startswith(next(iter(wrong)))
    for told in (caplog.text, str(error.value)):
        assert told
        assert not {"ada", "4711"} & set(re.findall(r"\w+", told))


@pytest.mark.parametrize(("order", "problem"), WRONG)
def test_off_plan_in_production(
    make: Make, emulator: Emulator, caplog: pytest.LogCaptureFixture, order: Any, problem: str
) -> None:
    """The event is sent, counted and said once a minute, without its value."""
    emitter = make(strict=False)

    with caplog.at_level(logging.WARNING, logger="dd_pa"):
        assert emitter.track(CheckoutCompleted(order=order), usr="u-1")
        emitter.track(CheckoutCompleted(order=order), usr="u-1")

    assert emitter.flush(60)
    assert len(emulator.events) == 2
    assert (emitter.stats().off_plan, emitter.stats().repaired) == (2, 0)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == f"event 'test.checkout_completed' is off the plan: {problem!r}; set STRICT to raise"


@pytest.mark.parametrize(
    ("total", "problem"),
    [
        (Decimal("NaN"), "order.total: is not a finite number"),
        (float("inf"), "order.total: is not a finite number"),
        (object(), "order.total: object cannot be sent"),
    ],
)
def test_what_cannot_be_sent(make: Make, total: Any, problem: str) -> None:
    """It is left out as of a dict, and then the event is off the plan too; in strict mode it raises."""
    event = CheckoutCompleted(order=Order(id="o", total=total))
    emitter = make(strict=False)

    assert attributes_of(emitter, event)["order"] == {"id": "o", "lines": []}
    assert (emitter.stats().repaired, emitter.stats().off_plan) == (1, 1)
    with pytest.raises(EventError, match=problem.split(";", maxsplit=1)[0]):
        make(strict=True).track(event, usr="u-1")


@pytest.mark.parametrize("number", [2**63, 2**70, -(2**63) - 1])
def test_a_whole_number_of_more_than_64_bits(make: Make, number: int) -> None:
    """It is left out, as of a dict."""

    class Counted(Event, name="test.counted"):
        number: int

    assert attributes_of(make(strict=False), Counted(number=number)) == {}
    with pytest.raises(EventError, match="number: needs more than 64 bits"):
        make(strict=True).track(Counted(number=number), usr="u-1")


LIMITED = {
    "ge": Annotated[int, msgspec.Meta(ge=1)],
    "gt": Annotated[int, msgspec.Meta(gt=0, lt=10)],
    "both": Annotated[int, msgspec.Meta(ge=1, le=9)],
    "multiple": Annotated[int, msgspec.Meta(multiple_of=2)],
    "number": Annotated[float, msgspec.Meta(ge=0.5)],
    "decimal": Annotated[Decimal, msgspec.Meta(gt=0)],
    "texts": Annotated[list[str], msgspec.Meta(max_length=2)],
    "pattern": Annotated[str, msgspec.Meta(pattern="^a")],
}


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("ge", 1, 0), ("gt", 1, 10), ("both", 9, 10), ("multiple", 2, 3), ("number", 0.5, 0.4),
        ("decimal", Decimal("0.1"), Decimal(0)), ("texts", ["a"], ["a", "b", "c"]), ("pattern", "ab", "b"),
    ],
)  # fmt: skip
def test_limits(make: Make, kind: str, good: Any, bad: Any) -> None:
    """What `Meta` of msgspec says of a value is checked, too."""
    metaclass: Any = type(Event)
    namespace = {"__annotations__": {"x": LIMITED[kind]}, "__module__": __name__}
    made = metaclass("Made", (Event,), namespace, name="test.limits")
    emitter = make(strict=True)

    assert emitter.track(made(x=good), usr="u-1")
    with pytest.raises(OffPlanError, match="x: "):
        emitter.track(made(x=bad), usr="u-1")


def test_more_than_an_event_can_have(make: Make) -> None:
    """The bounds are those of a dict: what is in lists counts too."""
    with pytest.raises(EventError, match="an event can have 988 attributes"):
        make(strict=True).track(CheckoutCompleted(order=Order(id="o", total=Decimal(1), lines=["a"] * 1000)), usr="u-1")


def test_a_large_event(make: Make) -> None:
    """One that is longer than most is looked at, and sent as it is."""
    lines = ["x" * 100] * 50

    assert (
        attributes_of(make(strict=True), CheckoutCompleted(order=Order("o", Decimal(1), lines)))["order"]["lines"]
        == lines
    )


def test_attributes_beside_a_typed_event(make: Make) -> None:
    """They are its fields, and there are no others."""
    with pytest.raises(EventError, match="of a typed event are its fields: declare them in CheckoutCompleted"):
        make(strict=True).track(CheckoutCompleted(order=ORDER), {"more": 1}, usr="u-1")


def test_a_class_without_a_name(make: Make) -> None:
    """It is no event yet."""

    class ShopEvent(Event):
        store: str

    with pytest.raises(EventError, match=r"has no name of an event: class .*ShopEvent\(Event, name='…'\)"):
        make(strict=True).track(ShopEvent(store="a"), usr="u-1")
    lenient = make(strict=False)
    assert lenient.track(ShopEvent(store="a"), usr="u-1") is None
    assert lenient.stats().dropped == {"invalid": 1}


def test_a_class_for_an_event(make: Make) -> None:
    """What is tracked is an instance; the error says so."""
    with pytest.raises(EventError, match=r"is a class of events: track\(CheckoutCompleted\(…\)\)"):
        make(strict=True).track(CheckoutCompleted, usr="u-1")  # type: ignore[arg-type]


def test_an_unlinked_event_is_counted_under_its_name(make: Make) -> None:
    """A signal says the name, as for any event."""
    emitter = make()
    with capture_events(emitter) as events:
        emitter.track(CheckoutCompleted(order=ORDER))

    assert emitter.stats().dropped == {"unlinked": 1}
    with pytest.raises(AssertionError, match=r"not kept: test\.checkout_completed \(unlinked\)"):
        events.assert_tracked("test.checkout_completed")


def test_personal_data_is_left_out(make: Make) -> None:
    """Unless a setting says something else."""
    event = SignedUp(email="ada@example.com", plan="pro", friends=["bob@example.com"])

    assert attributes_of(make(), event) == {"plan": "pro"}


def test_personal_data_is_hashed(make: Make) -> None:
    """The same value has the same hash, with the same key; None has none."""
    event = SignedUp(email="ada@example.com", plan="pro", friends=["ada@example.com", "bob@example.com"])
    hashing = make(personal_data="hash", personal_data_key="s3cret")
    found = attributes_of(hashing, event)

    assert found["plan"] == "pro"
    assert "ada@" not in str(found)
    assert found["friends"][0] == found["email"] != found["friends"][1]
    assert attributes_of(make(personal_data="hash", personal_data_key="other"), event)["email"] != found["email"]


def test_personal_data_is_sent(make: Make) -> None:
    """If the setting says so."""
    event = SignedUp(email="ada@example.com", plan="pro")

    assert attributes_of(make(personal_data="send"), event)["email"] == "ada@example.com"


def test_digits_stay_where_personal_data_goes(make: Make) -> None:
    """What is left is what was there."""

    class Paid(Event, name="test.paid"):
        total: Decimal
        iban: Personal[str]

    built = make().integration.build(Paid(total=Decimal("89.50"), iban="DE00"), usr="u-1")

    assert built is not None
    assert b'"total":89.50' in built.body
    assert b"iban" not in built.body


def test_personal_data_in_off_plan_events(make: Make) -> None:
    """It goes whatever else is wrong."""
    event = SignedUp(email="ada@example.com", plan=7)  # type: ignore[arg-type]

    assert attributes_of(make(strict=False), event) == {"plan": 7}


def test_personal_data_of_a_pydantic_model(make: Make) -> None:
    """Marks are seen wherever they are."""

    class Visitor(BaseModel):
        name: Personal[str]
        age: int

    class Visited(Event, name="test.visited"):
        visitor: Visitor
        all: dict[str, Visitor]

    event = Visited(visitor=Visitor(name="Ada", age=36), all={"x": Visitor(name="Bob", age=3)})

    assert attributes_of(make(), event) == {"visitor": {"age": 36}, "all": {"x": {"age": 3}}}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"personal_data": "maybe"}, "PERSONAL_DATA: must be omit, hash or send"),
        ({"personal_data": "hash"}, "PERSONAL_DATA_KEY: is missing"),
    ],
)
def test_settings_of_personal_data(changes: dict[str, Any], problem: str) -> None:
    """They are checked like all others, and the key is a secret."""
    with pytest.raises(SettingsError, match=problem):
        settings(**changes)
    assert "s3cret" not in repr(settings(personal_data="hash", personal_data_key="s3cret"))


def test_before_send_sees_what_would_be_sent(make: Make) -> None:
    """Attributes as a dict, without personal data that is left out; what it changes is sent."""
    seen: list[Any] = []

    def before_send(draft: EventDraft) -> EventDraft:
        seen.append((draft.name, dict(draft.attributes)))
        draft.attributes["plan"] = "other"
        return draft

    emitter = make(before_send=before_send)

    assert attributes_of(emitter, SignedUp(email="ada@example.com", plan="pro")) == {"plan": "other"}
    assert seen == [("test.signed_up", {"plan": "pro"})]
    assert emitter.stats().off_plan == 0


def test_structs_and_models_as_attributes_of_a_dict(make: Make) -> None:
    """They are accepted there, too."""
    built = make(strict=True).integration.build(
        "x.y", {"order": ORDER, "customer": Customer(tier=Tier.GOLD)}, usr="u-1"
    )

    assert built is not None
    assert b'"order":{"id":"o-1","total":89.50,"lines":["a"]}' in built.body
    assert b'"customer":{"tier":"gold","since":null,"address":null}' in built.body
