"""The same table for SQLAlchemy, once with events and once without."""

from __future__ import annotations

import os
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlalchemy import Numeric, String, create_engine, delete, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import StaticPool

from dd_pa import Emitter, Settings
from dd_pa.sqlalchemy import ModelEvents

Timed = Callable[[Callable[[], object]], float]


class Base(DeclarativeBase):
    pass


class Order:
    """What both have in common."""

    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(String(20), default="new")
    total: Mapped[Decimal] = mapped_column(Numeric(8, 2), default=Decimal(0))
    note: Mapped[str] = mapped_column(default="")
    customer: Mapped[int] = mapped_column(default=7)


class PlainOrder(Order, Base):
    __tablename__ = "plain_order"


class TrackedOrder(Order, Base):
    __tablename__ = "tracked_order"


class Sessions:
    """The operations on one of the tables."""

    def __init__(self, model: Any, directory: str) -> None:
        self.model = model
        self.engine = create_engine("sqlite://", poolclass=StaticPool)
        Base.metadata.create_all(self.engine)
        with Session(self.engine) as session:
            session.add_all([model() for _ in range(1_000)])
            session.commit()
            self.last = session.scalars(select(model.id).order_by(model.id.desc())).first()

    @staticmethod
    def models(directory: str) -> dict[str, Any]:
        """Declare the events, and return the classes by what they are called here."""
        os.environ["DD_PA_TEST_RUN"] = "0"
        own: dict[str, Any] = {"spool_dir": f"{directory}/spool", "delivery": "process"}
        settings = Settings(application_id="bench", api_key="bench", intake_url="http://127.0.0.1:9", **own)
        events = ModelEvents(Emitter(settings))
        followed: Any = {"status": "order.status_changed"}
        events.track_model(TrackedOrder, created="order.placed", updated=followed, attributes=["id", "total"])
        return {"plain SQLAlchemy": PlainOrder, "dd-pa": TrackedOrder}

    def load(self, timed: Timed) -> float:
        with Session(self.engine) as session:
            return timed(lambda: session.scalars(select(self.model)).all()) / 1_000

    def change(self, timed: Timed, status: str) -> float:
        with Session(self.engine) as session:
            for item in session.scalars(select(self.model).limit(100)):
                item.status = status
            return timed(session.commit) / 100

    def create(self, timed: Timed) -> float:
        with Session(self.engine) as session:
            session.add_all([self.model() for _ in range(1_000)])
            took = timed(session.commit) / 1_000
            session.execute(delete(self.model).where(self.model.id > self.last))
            session.commit()
        return took
