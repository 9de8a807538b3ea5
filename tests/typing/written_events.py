"""Events of the tracking plan. Written by `dd-pa events import`: a beginning, to be changed by hand."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated, Any, Literal

from dd_pa import Deprecated, Event, Money, Personal
from msgspec import UNSET, Meta, Struct, UnsetType, field


class Line(Struct, kw_only=True):
    sku: str
    count: int


class Order(Struct, kw_only=True):
    lines: list[Line]


class WrittenOrderPaid(
    Event, name="written.order_paid", owner="payments", deprecated=Deprecated("2027-01-31", use="written.settled")
):
    """A customer has paid.

    With "money".
    """

    order: Order
    lines: list[Line] | UnsetType = UNSET
    price: Annotated[Money, Meta(description='What is "paid".')]
    state: Literal["new", "paid"] | None = None
    day: dt.date
    id: uuid.UUID
    count: Annotated[int, Meta(ge=1, le=9)]
    email: Personal[str]
    class_: Any | UnsetType = field(default=UNSET, name="class")
    stock: Annotated[dict[str, float], Deprecated("2027-01-31", use="count")]


class WrittenSettled(Event, name="written.settled"):
    pass
