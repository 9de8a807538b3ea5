from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session

from dd_pa import Emitter, Identity, Settings
from dd_pa.emulator import Emulator
from tests.sqlalchemy_models import databases, shop

Events = Callable[[], list[dict[str, Any]]]
MakeEmitter = Callable[..., Emitter]

WHO = Identity(usr="u-1")


@pytest.fixture
def emulator() -> Emulator:
    return Emulator()


@pytest.fixture
def make_emitter(emulator: Emulator) -> Iterator[MakeEmitter]:
    """Makes the emitter that the models use from now on."""

    def make(identity: Any = WHO, **changes: Any) -> Emitter:
        given = {"application_id": "shop", "api_key": "k", "spool_dir": None, "strict": True} | changes
        emitter = Emitter(Settings(**given), identity=lambda: identity, transport=httpx.ASGITransport(app=emulator))
        shop.current.append(emitter)
        return emitter

    yield make
    for emitter in shop.current:
        emitter.close(0.0)
    shop.current.clear()


@pytest.fixture(autouse=True)
def emitter(make_emitter: MakeEmitter) -> Emitter:
    return make_emitter()


@pytest.fixture
def happened(emulator: Emulator) -> Events:
    """What has arrived, by name and content: many events are under way at once."""

    def arrived() -> list[dict[str, Any]]:
        assert shop.current[-1].flush(60)
        omitted = ("type", "application", "dd_pa", "event")
        found = [
            {"name": item["event"]["name"], **{key: value for key, value in item.items() if key not in omitted}}
            for item in emulator.events
        ]
        return sorted(found, key=lambda item: json.dumps([item["name"], item]))

    return arrived


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('sqlalchemy')}/shop.db"
        return
    with databases.postgres_schema() as url:
        yield url


@pytest.fixture(scope="session")
def _engine(address: str) -> Iterator[Engine]:
    engine = create_engine(address)
    if engine.dialect.name == "sqlite":
        databases.begin_as_told(engine)
    shop.Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def engine(_engine: Engine) -> Iterator[Engine]:
    """Empty tables."""
    yield _engine
    with _engine.begin() as connection:
        for table in reversed(shop.Base.metadata.sorted_tables):
            connection.execute(table.delete())


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session


@pytest.fixture
def statements(engine: Engine) -> Iterator[list[str]]:
    """The statements that the database was asked to run."""
    asked: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        asked.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine, "before_cursor_execute", note)
