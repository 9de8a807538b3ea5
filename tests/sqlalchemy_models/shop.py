"""A shop's tables, some of their classes with events."""

from __future__ import annotations

import datetime as dt
import enum
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, Column, ForeignKey, Numeric, String, Table
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from dd_pa import Emitter
from dd_pa.sqlalchemy import ModelEvents

current: list[Emitter] = []
"""The emitter of the test that runs."""

events = ModelEvents(lambda: current[-1] if current else None)


class Base(DeclarativeBase):
    pass


order_tags = Table(
    "order_tags",
    Base.metadata,
    Column("order_id", ForeignKey("orders.id"), primary_key=True),
    Column("tag_id", ForeignKey("tags.id"), primary_key=True),
)


class Customer(Base):
    __tablename__ = "customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(default="Ada")


@events.track_model(
    created="order.placed",
    updated={"state": "order.state_changed", "customer_id": "order.handed_over", "tags": "order.tagged"},
    deleted="order.removed",
    attributes=["total"],
)
class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column("order_state", default="new")
    total: Mapped[int] = mapped_column(default=0)
    number: Mapped[int | None] = mapped_column(unique=True)
    note: Mapped[str | None] = mapped_column(default="")
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"))
    customer: Mapped[Customer | None] = relationship()
    lines: Mapped[list[Line]] = relationship(back_populates="order", cascade="all, delete-orphan")
    tags: Mapped[list[Tag]] = relationship(secondary=order_tags, back_populates="orders")

    @hybrid_property
    def is_paid(self) -> bool:
        return self.state == "paid"


@events.track_model(created="line.added", updated={"note": "line.annotated"}, deleted="line.dropped")
class Line(Base):
    __tablename__ = "lines"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    stock: Mapped[int] = mapped_column(default=5)
    note: Mapped[str] = mapped_column(default="", deferred=True)
    order: Mapped[Order] = relationship(back_populates="lines")


class Tag(Base):
    __tablename__ = "tags"

    id: Mapped[int] = mapped_column(primary_key=True)
    orders: Mapped[list[Order]] = relationship(secondary=order_tags, back_populates="tags")


class ParcelColumns:
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(20), default="packed")
    weight: Mapped[int] = mapped_column(default=1)


@events.track_model(created="parcel.packed", updated={"state": "parcel.moved"}, deleted="parcel.lost")
class Parcel(ParcelColumns, Base):
    __tablename__ = "parcels"


class SilentParcel(ParcelColumns, Base):
    """The same, without events."""

    __tablename__ = "silent_parcels"


@events.track_model(deleted="postcard.lost", attributes=["id", "text"])
class Postcard(Base):
    """Of which no change is followed."""

    __tablename__ = "postcards"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(default="")


class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"


MEASURED = ("count", "price", "data", "is_open", "size", "day")


@events.track_model(
    created="measure.made", updated=dict.fromkeys(MEASURED, "measure.changed"), attributes=list(MEASURED)
)
class Measure(Base):
    """With a column of each type that takes values in several forms."""

    __tablename__ = "measures"

    id: Mapped[int] = mapped_column(primary_key=True)
    count: Mapped[int | None]
    price: Mapped[Decimal | None] = mapped_column(Numeric(8, 2))
    data: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    is_open: Mapped[bool | None]
    size: Mapped[Size | None]
    day: Mapped[dt.date | None]


class Stamped:
    """A mixin whose heirs have events."""

    id: Mapped[int] = mapped_column(primary_key=True)
    stamp: Mapped[int] = mapped_column(default=0)


events.track_model(Stamped, created="stamped.made", updated={"stamp": "stamped.moved"}, attributes=["stamp"])


class Letter(Stamped, Base):
    __tablename__ = "letters"


@events.track_model(created="payment.made", updated={"amount": "payment.corrected"}, deleted="payment.voided")
class Payment(Base):
    __tablename__ = "payments"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(default="")
    amount: Mapped[int] = mapped_column(default=0)

    __mapper_args__: dict[str, Any] = {"polymorphic_on": "kind", "polymorphic_identity": "payment"}  # noqa: RUF012


@events.track_model(created="card.charged", updated={"digits": "card.replaced"})
class CardPayment(Payment):
    """In a table of its own, joined to that of the payments."""

    __tablename__ = "card_payments"

    id: Mapped[int] = mapped_column(ForeignKey("payments.id"), primary_key=True)
    digits: Mapped[str] = mapped_column(default="")

    __mapper_args__ = {"polymorphic_identity": "card"}  # noqa: RUF012


class CashPayment(Payment):
    """In the table of the payments."""

    __mapper_args__ = {"polymorphic_identity": "cash"}  # noqa: RUF012


@events.track_model(created="locker.opened")
class Locker(Base):
    """With no text of any length, which MariaDB would want to know."""

    __tablename__ = "lockers"

    id: Mapped[int] = mapped_column(primary_key=True)
