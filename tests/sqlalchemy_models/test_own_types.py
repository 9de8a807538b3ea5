"""Values that are written in another way than they are assigned, or that Python takes for the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import JSON, Integer, String, TypeDecorator, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from dd_pa.sqlalchemy import ModelEvents
from dd_pa.testing import capture_events
from tests.sqlalchemy_models import shop

events = ModelEvents(lambda: shop.current[-1] if shop.current else None)


class Base(DeclarativeBase):
    pass


class Lower(TypeDecorator[str]):
    """Writes small letters."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else value.lower()


class Cents(TypeDecorator[float]):
    """Writes whole cents, and reads amounts."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Any) -> int | None:
        return None if value is None else round(value * 100)

    def process_result_value(self, value: int | None, dialect: Any) -> float | None:
        return None if value is None else value / 100


class OfItsDatabase(TypeDecorator[str]):
    """Can be asked by one database only."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return {"sqlite": value}[dialect.name]


@events.track_model(
    updated=dict.fromkeys(("code", "price", "data", "place"), "ticket.changed"), attributes=["code", "price"]
)
class Ticket(Base):
    __tablename__ = "own_tickets"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(Lower(9), default="a")
    price: Mapped[float] = mapped_column(Cents, default=1.5)
    place: Mapped[str] = mapped_column(OfItsDatabase, default="here")
    data: Mapped[Any] = mapped_column(JSON, default=dict)


@pytest.fixture
def own_session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine, expire_on_commit=False) as session:
        session.add(Ticket(data={"a": [1]}))
        session.commit()
        yield session
    engine.dispose()


@pytest.mark.parametrize(
    ("name", "value", "change"),
    [
        ("code", "A", None),
        ("code", "B", {"old": "a", "new": "b"}),
        ("price", 1.501, None),
        ("price", 1.519, {"old": 1.5, "new": 1.52}),
        ("place", "there", {"old": "here", "new": "there"}),
        ("data", {"a": (1,)}, None),
        ("data", {"a": [True]}, None),  # SQLAlchemy takes it for the same, and writes nothing
    ],
)
def test_a_value_is_told_as_it_is_written(
    own_session: Session, name: str, value: Any, change: dict[str, Any] | None
) -> None:
    ticket = own_session.get_one(Ticket, 1)
    with capture_events() as captured:
        setattr(ticket, name, value)
        own_session.commit()

    assert [event.attributes["changed"] for event in captured] == ([] if change is None else [{name: change}])
    for event in captured:
        own_session.refresh(ticket)
        assert event.attributes["ticket"] == {"code": ticket.code, "price": ticket.price}
