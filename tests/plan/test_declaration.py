"""Event classes: what can be declared, and what is refused where the class is made, with the fix."""

from __future__ import annotations

import datetime as dt
import enum
import gc
import types
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, NotRequired, TypedDict, TypeVar

import msgspec
import pytest
from msgspec import Meta, Struct
from pydantic import BaseModel
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from dd_pa import Deprecated, Event, Money, Personal, PlanError
from dd_pa.plan import registry
from dd_pa.plan.model import Field, Type

T = TypeVar("T")
Sku = NewType("Sku", str)


class Tier(enum.Enum):
    GOLD = "gold"
    BASIC = "basic"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Line(Struct):
    sku: Sku
    price: Decimal


@dataclass
class Address:
    city: str
    since: dt.date | None = None


class Customer(BaseModel):
    tier: Tier
    address: Address | None = None


class Extras(TypedDict):
    color: str
    size: NotRequired[int]


class Point(NamedTuple):
    x: int
    y: float


class Box(Struct, Generic[T]):
    content: T


class Base(DeclarativeBase):
    pass


class OrderRow(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


class Node(Struct):
    children: list[Node]


def made(class_name: str, annotations: dict[str, Any], **keywords: Any) -> type[Event]:
    """Return an event class."""
    metaclass: Any = type(Event)
    found: type[Event] = metaclass(
        class_name, (Event,), {"__annotations__": annotations, "__module__": __name__}, **keywords
    )
    return found


def one(annotation: Any) -> tuple[Type, ...]:
    """Return the types of the one field of a class made for it."""

    return made("Made", {"field": annotation}).__schema__.fields["field"].types


TEXT, NULL, INTEGER, NUMBER = (Type(kind=kind) for kind in ("text", "null", "integer", "number"))

OPTIONAL = Field(types=(INTEGER,), required=False)


@pytest.mark.parametrize(
    ("annotation", "types"),
    [
        (str, (TEXT,)),
        (int, (INTEGER,)),
        (float, (NUMBER,)),
        (bool, (Type(kind="boolean"),)),
        (Decimal, (NUMBER,)),
        (int | float, (NUMBER,)),
        (str | None, (NULL, TEXT)),
        (str | uuid.UUID, (TEXT,)),
        (dt.datetime, (Type(kind="text", format="date-time"),)),
        (dt.timedelta, (NUMBER,)),
        (Any, (Type(kind="any"),)),
        (Sku, (TEXT,)),
        (Tier, (Type(kind="text", values=("basic", "gold")),)),
        (Level, (Type(kind="integer", values=(1, 2)),)),
        (Literal["b", "a"], (Type(kind="text", values=("a", "b")),)),
        (Literal["b"] | Tier | None, (NULL, Type(kind="text", values=("b", "basic", "gold")))),
        (Literal["b"] | str, (TEXT,)),
        (list[str], (Type(kind="list", items=(TEXT,)),)),
        (frozenset[int], (Type(kind="list", items=(INTEGER,)),)),
        (tuple[str, ...], (Type(kind="list", items=(TEXT,)),)),
        (tuple[str, int], (Type(kind="list", items=(INTEGER, TEXT)),)),
        (Sequence[str], (Type(kind="list", items=(TEXT,)),)),
        (dict[str, int], (Type(kind="map", items=(INTEGER,)),)),
        (Mapping[str, int], (Type(kind="map", items=(INTEGER,)),)),
        (Point, (Type(kind="list", items=(NUMBER,)),)),
        (Extras, (Type(kind="object", fields={"color": Field(types=(TEXT,)), "size": OPTIONAL}),)),
        (Box[int], (Type(kind="object", fields={"content": Field(types=(INTEGER,))}),)),
        (Line, (Type(kind="object", fields={"sku": Field(types=(TEXT,)), "price": Field(types=(NUMBER,))}),)),
        (Annotated[int, Meta(ge=1)], (Type(kind="integer", limits={"minimum": 1}),)),
        (Annotated[str, Meta(max_length=3)], (Type(kind="text", limits={"maxLength": 3}),)),
    ],
)  # fmt: skip
def test_types(annotation: Any, types: tuple[Type, ...]) -> None:
    """Each annotation is read as what is on the wire."""
    assert one(annotation) == types


def test_dataclasses_and_pydantic_models() -> None:
    """Both are objects, with their own fields."""
    (found,) = one(Customer)

    assert found.fields["tier"].types == (Type(kind="text", values=("basic", "gold")),)
    address = found.fields["address"]
    assert (address.required, address.types[0]) == (False, NULL)
    assert address.types[1].fields["city"] == Field(types=(TEXT,))


def test_what_the_plan_knows() -> None:
    """Name, owner, description, fields in their order with defaults, marks and descriptions."""

    class OrderPaid(
        Event, name="test.order_paid", owner="payments", deprecated=Deprecated("2027-01-31", use="order.settled")
    ):
        """A customer has paid.

        Also for invoices.
        """

        total: Money
        email: Personal[str] | None = None
        coupon: Annotated[str, Meta(description="As on the receipt.")] = ""
        old: Annotated[int, Deprecated("2027-01-01")] = 0

    planned = OrderPaid.__schema__.planned

    assert (planned.name, planned.owner) == ("test.order_paid", "payments")
    assert planned.description == "A customer has paid.\n\nAlso for invoices."
    assert planned.deprecated == Deprecated("2027-01-31", use="order.settled")
    assert [(name, field.required) for name, field in planned.fields.items()] == [
        ("total", True), ("email", False), ("coupon", False), ("old", False)
    ]  # fmt: skip
    assert [field.personal for field in planned.fields.values()] == [False, True, False, False]
    assert planned.fields["coupon"].description == "As on the receipt."
    assert planned.fields["old"].deprecated == Deprecated("2027-01-01")
    assert registry.find("test.order_paid") is OrderPaid.__schema__


@pytest.mark.parametrize(
    ("annotation", "problem"),
    [
        (bytes, "bytes cannot be sent; give a text: bytes.hex(), or base64"),
        (complex, "complex cannot be sent; give its parts as two fields"),
        (OrderRow, "OrderRow cannot be sent; name what is to be sent of it in a msgspec.Struct"),
        (list, "is a list of anything: say of what, such as list[str]"),
        (dict, "is a mapping of anything: say of what, such as dict[str, int]"),
        (dict[int, str], "is a mapping with keys of int: names of attributes are texts"),
        (T, "is of the type variable ~T: an event has fixed types, so say which"),
        (Box, "is of the type variable ~T"),
        (Node, "is cyclic (Node → Node): an event has an end; send an id instead"),
        (Literal[b"x"], "an enumeration with a value of bytes: give texts or numbers"),
        (object(), "cannot be sent"),
        (Annotated[str, Meta(ge=1)], "Can only set `ge` on a numeric type"),
    ],
)
def test_what_cannot_be_sent(annotation: Any, problem: str) -> None:
    """The error says the path, and the fix."""
    with pytest.raises(PlanError) as error:
        one(annotation)

    assert str(error.value).startswith("Made")
    assert problem in str(error.value)


def test_paths_in_errors() -> None:
    """They lead into what lies inside."""

    class Deep(Struct):
        lines: list[dict[str, bytes]]

    with pytest.raises(PlanError, match=r"Made\.field\.lines\[\]\.\*: bytes cannot be sent"):
        one(Deep)


@pytest.mark.parametrize(
    ("keywords", "fields", "problem"),
    [
        ({"name": ""}, {}, "name='' must have 1 to 512 printable characters, such as 'order.placed'"),
        ({"name": "a\nb"}, {}, r"name='a\nb' must have 1 to 512 printable"),
        ({"name": 3}, {}, "name=3 must be a text, not int"),
        ({"name": "x"}, {"usr": str}, "Bad.usr: is a reserved name: choose another name, such as usr_name"),
        ({"name": "x", "deprecated": "soon"}, {}, "deprecated='soon' is no day: Deprecated(until='2026-12-31')"),
        ({"name": "x", "nane": "y"}, {}, "nane= is no option of an event"),
        ({"name": "x", "array_like": True}, {}, "array_like= is no option of an event"),
    ],
)
def test_bad_classes(keywords: dict[str, Any], fields: dict[str, Any], problem: str) -> None:
    """Names, reserved fields and options are looked at where the class is made."""
    with pytest.raises(PlanError) as error:
        made("Bad", fields, **keywords)

    assert problem in str(error.value)


def test_two_classes_of_one_name() -> None:
    """The second is refused, and says where the first is."""

    class First(Event, name="test.twice"):
        pass

    with pytest.raises(PlanError, match=r"'test\.twice' is the name of tests\.plan\.test_declaration\..*First"):

        class Second(Event, name="test.twice"):
            pass

    assert registry.find("test.twice") is First.__schema__


def _made_twice() -> type[Event]:
    class Again(Event, name="test.again"):
        pass

    return Again


def test_a_class_made_anew() -> None:
    """It takes the place of what it was before, as after a reload."""
    first, second = _made_twice(), _made_twice()

    assert first is not second
    assert registry.find("test.again") is second.__schema__


def test_a_name_is_free_again_when_its_class_is_gone() -> None:
    """Classes of functions that have returned are in nobody's way."""

    def scope() -> None:
        class Gone(Event, name="test.gone"):
            pass

    scope()

    class Other(Event, name="test.gone"):
        pass

    assert registry.find("test.gone") is Other.__schema__


def test_a_class_to_inherit_from() -> None:
    """One without a name hands its fields and its owner down."""

    class ShopEvent(Event, owner="shop"):
        store: str

    class Opened(ShopEvent, name="test.opened"):
        hour: int

    class Closed(ShopEvent, name="test.closed", owner="night"):
        pass

    assert list(Opened.__schema__.fields) == ["store", "hour"]
    assert (Opened.__schema__.owner, Closed.__schema__.owner) == ("shop", "night")
    assert Opened(store="a", hour=8).store == "a"


def test_generic_classes_are_refused() -> None:
    """An event has fixed types."""
    with pytest.raises(PlanError, match="is generic: an event has fixed types"):

        class Anything(Event, Generic[T], name="test.generic"):
            content: T


class Early(Event, name="test.early"):
    later: Later


def test_a_class_of_further_down() -> None:
    """It is asked for when it is there."""
    assert Early.__schema__.fields["later"].types[0].kind == "object"


class Later(Struct):
    number: int


def test_a_name_that_means_nothing() -> None:
    """It is said when the plan is asked for, with the likely reason."""

    class Lost(Event, name="test.lost"):
        what: Nowhere  # type: ignore[name-defined] # noqa: F821

    with pytest.raises(PlanError, match="name 'Nowhere' is not defined: import it where the class is made"):
        _ = Lost.__schema__.fields


def test_local_classes() -> None:
    """Annotations may name what is local to the function in which the class is made."""

    class Local(Struct):
        number: int

    class Uses(Event, name="test.local"):
        local: Local
        lines: list[Local]

    assert Uses.__schema__.fields["local"].types == Uses.__schema__.fields["lines"].types[0].items


def test_events_are_values() -> None:
    """They are frozen, equal by value, and take their fields by keyword only."""

    class Value(Event, name="test.value"):
        number: int

    assert Value(number=1) == Value(number=1)
    with pytest.raises(AttributeError):
        Value(number=1).number = 2  # type: ignore[misc]
    with pytest.raises(TypeError):
        Value(1)  # type: ignore[call-arg]


def test_renamed_fields() -> None:
    """The plan knows the names on the wire."""

    class Camel(Event, name="test.camel", rename="camel"):
        order_id: str
        total: int = msgspec.field(name="order.total")

    assert list(Camel.__schema__.fields) == ["orderId", "order.total"]


def test_a_class_of_a_function_that_has_returned_spoils_no_plan() -> None:
    """It refers to itself, and lives until it is collected."""

    def make_unreadable() -> None:
        name = f"{make_unreadable.__qualname__}.<locals>.Unreadable"
        body = {"__annotations__": {"value": "Nowhere"}, "__module__": __name__, "__qualname__": name}
        types.new_class("Unreadable", (Event,), {"name": "test.lost"}, lambda space: space.update(body))

    gc.disable()
    try:
        make_unreadable()
        assert "test.lost" not in registry.declared_plan().events
    finally:
        gc.enable()
