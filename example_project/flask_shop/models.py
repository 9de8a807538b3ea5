"""The tables, and what is told of their changes: here once, not in each view that makes them."""

from __future__ import annotations

import datetime as dt

from flask_login import UserMixin
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from example_project.flask_shop.analytics import analytics
from example_project.flask_shop.database import Base
from example_project.flask_shop.events import InvoiceIssued, PaidPlan, PlanChanged, SeatAdded, Seats
from example_project.flask_shop.plans import PLANS, Plan


def facts(plan: Plan) -> PaidPlan:
    return PaidPlan(name=plan.slug, price=plan.price, currency="EUR", seats=plan.seats)


@analytics.track_model(updated={"plan": PlanChanged}, attributes=lambda team: {"plan": facts(PLANS[team.plan])})
class Team(Base):
    """Whose customer a person is: the account in Product Analytics."""

    __tablename__ = "team"

    handle: Mapped[str] = mapped_column(String(60), primary_key=True)
    name: Mapped[str] = mapped_column(String(60))
    plan: Mapped[str] = mapped_column(String(20), default="bench")
    seats: Mapped[list[Seat]] = relationship(back_populates="team", order_by="Seat.id")


class Person(UserMixin, Base):
    """Somebody who acts for a team. The id says nothing about them: it is `usr.id` in Datadog."""

    __tablename__ = "person"

    id: Mapped[str] = mapped_column(String(20), primary_key=True)
    email: Mapped[str] = mapped_column(String(255), unique=True)
    password: Mapped[str] = mapped_column(String(255))
    team_handle: Mapped[str] = mapped_column(ForeignKey(Team.handle))
    team: Mapped[Team] = relationship()


@analytics.track_model(
    created=SeatAdded,
    when=lambda seat: seat.person_id is None,  # that of who signs up comes with the sign-up
    attributes=lambda seat: SeatAdded(seats=Seats(used=len(seat.team.seats), included=PLANS[seat.team.plan].seats)),
)
class Seat(Base):
    """A place in the workshop."""

    __tablename__ = "seat"

    id: Mapped[int] = mapped_column(primary_key=True)
    team_handle: Mapped[str] = mapped_column(ForeignKey(Team.handle))
    person_id: Mapped[str | None] = mapped_column(ForeignKey(Person.id))
    label: Mapped[str] = mapped_column(String(60))
    team: Mapped[Team] = relationship(back_populates="seats")
    person: Mapped[Person | None] = relationship()


@analytics.track_model(created=InvoiceIssued)
class Invoice(Base):
    """What a team paid for a month."""

    __tablename__ = "invoice"

    id: Mapped[int] = mapped_column(primary_key=True)
    team_handle: Mapped[str] = mapped_column(ForeignKey(Team.handle))
    plan: Mapped[str] = mapped_column(String(20))
    cents: Mapped[int]
    payment: Mapped[str] = mapped_column(String(40))
    issued_at: Mapped[dt.datetime] = mapped_column(default=lambda: dt.datetime.now(dt.UTC))
    team: Mapped[Team] = relationship()

    @property
    def number(self) -> int:
        return 2000 + self.id
