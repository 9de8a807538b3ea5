"""What `track_model` takes, refuses and asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey, create_engine
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, configure_mappers, mapped_column, relationship

from dd_pa import Emitter, EventError, Identity
from dd_pa.emulator import Emulator
from dd_pa.sqlalchemy import ModelEvents
from tests.sqlalchemy_models.conftest import Events, MakeEmitter
from tests.sqlalchemy_models.shop import current


@pytest.fixture
def engine() -> Iterator[Engine]:
    """A database of one test, in memory: these tests are not about databases."""
    engine = create_engine("sqlite://")
    yield engine
    engine.dispose()


@pytest.fixture
def base() -> Iterator[type[DeclarativeBase]]:
    """Classes of one test."""

    class Base(DeclarativeBase):
        pass

    yield Base
    Base.registry.dispose()


@pytest.fixture
def events() -> ModelEvents:
    return ModelEvents(lambda: current[-1])


@pytest.fixture
def invoice(base: type[DeclarativeBase]) -> Any:
    """A class of the test's own to declare events on."""

    class Invoice(base):  # type: ignore[valid-type,misc] # made for each test
        __tablename__ = "invoices"

        id: Mapped[int] = mapped_column(primary_key=True)
        state: Mapped[str] = mapped_column(default="open")
        number: Mapped[int] = mapped_column(default=1)
        owner: Mapped[str | None]
        parent_id: Mapped[int | None] = mapped_column(ForeignKey("invoices.id"))
        parent: Mapped[Any] = relationship("Invoice", remote_side="Invoice.id")

        @hybrid_property
        def is_open(self) -> bool:
            return self.state == "open"

    return Invoice


def write(engine: Engine, model: Any, **values: Any) -> None:
    """Store a row, change its state, and delete it, each in a transaction of its own."""
    model.metadata.create_all(engine)
    with Session(engine) as session:
        row = model(**values)
        session.add(row)
        session.commit()
        session.refresh(row)
        row.state = "paid"
        row.number = 2
        session.commit()
        session.delete(row)
        session.commit()


LIFE = {"created": "invoice.opened", "updated": {"state": "invoice.changed"}, "deleted": "invoice.voided"}


@pytest.mark.parametrize("as_decorator", [True, False])
def test_decorator_and_call_give_the_class_back(events: ModelEvents, invoice: Any, as_decorator: bool) -> None:
    """So that it can be used on a class of somebody else."""
    given: Any = {"created": "invoice.opened"}

    assert (events.track_model(**given)(invoice) if as_decorator else events.track_model(invoice, **given)) is invoice


def test_callables_are_asked_of_each_row(engine: Engine, events: ModelEvents, invoice: Any, happened: Events) -> None:
    """Attributes, condition and owner; attributes with the same event share one."""
    events.track_model(
        invoice,
        created="invoice.opened",
        updated={"state": "invoice.changed", "number": "invoice.changed"},
        attributes=lambda row: {"label": f"{row.number}/{row.id}"},
        when=lambda row: row.owner != "nobody",
        identity=lambda row: {"usr": row.owner, "account": "acme"},
    )

    write(engine, invoice, owner="u-1")
    write(engine, invoice, owner="nobody")

    link = {"usr": {"id": "u-1"}, "account": {"id": "acme"}}
    changed = {"state": {"old": "open", "new": "paid"}, "number": {"old": 1, "new": 2}}
    assert happened() == [
        {"name": "invoice.changed", **link, "label": "2/1", "changed": changed},
        {"name": "invoice.opened", **link, "label": "1/1"},
    ]


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        pytest.param({"usr": "u-1"}, {"usr": "u-1", "account": "a-1", "session": "s-1"}, id="who-acts"),
        pytest.param({"usr": "u-9"}, {"usr": "u-9"}, id="somebody-else"),
        pytest.param({"usr": "u-9", "account": "a-9"}, {"usr": "u-9", "account": "a-9"}, id="somebody-elses-account"),
        pytest.param(Identity(usr="u-9"), {"usr": "u-9"}, id="identity"),
        pytest.param({"account": "a-9"}, {"usr": "u-1", "account": "a-9", "session": "s-1"}, id="account-only"),
        pytest.param(None, {"usr": "u-1", "account": "a-1", "session": "s-1"}, id="unknown"),
        pytest.param({"consent": False}, None, id="no-consent"),
    ],
)
def test_event_of_somebody_else_has_nothing_of_who_acts(
    engine: Engine,
    make_emitter: MakeEmitter,
    happened: Events,
    events: ModelEvents,
    invoice: Any,
    owner: Any,
    expected: Any,
) -> None:
    """A clerk who closes a customer's order is not in the customer's browser."""
    make_emitter(identity=Identity(usr="u-1", account="a-1", session="s-1"))
    events.track_model(invoice, created="invoice.opened", identity=lambda row: owner)

    write(engine, invoice)

    link = {} if expected is None else {key: {"id": value} for key, value in expected.items()}
    assert happened() == ([] if expected is None else [{"name": "invoice.opened", **link}])


@pytest.mark.parametrize("option", ["attributes", "when", "identity"])
@pytest.mark.parametrize("moment", ["created", "updated", "deleted"])
def test_failing_callable_fails_the_flush_in_strict_mode(
    engine: Engine, events: ModelEvents, invoice: Any, option: str, moment: str
) -> None:
    """In tests and development the error is seen where the row is written."""
    options: Any = {moment: LIFE[moment], option: lambda row: 1 // 0}
    events.track_model(invoice, **options)

    with pytest.raises(ZeroDivisionError):
        write(engine, invoice)


@pytest.mark.parametrize("option", ["attributes", "when", "identity"])
def test_failing_callable_never_fails_a_lenient_flush(
    engine: Engine, make_emitter: MakeEmitter, events: ModelEvents, invoice: Any, option: str
) -> None:
    """In production the rows are written, and the events are counted as dropped."""
    emitter = make_emitter(strict=False)
    options: Any = {**LIFE, option: lambda row: 1 // 0}
    events.track_model(invoice, **options)

    write(engine, invoice)

    assert emitter.stats().dropped == {"invalid": 3}


def test_bad_attribute_fails_the_flush_in_strict_mode(engine: Engine, events: ModelEvents, invoice: Any) -> None:
    """As it fails `track()`."""
    events.track_model(invoice, created="invoice.opened", attributes=lambda row: {"usr": "admin"})

    with pytest.raises(EventError, match=r"^usr"):
        write(engine, invoice)


def test_identity_with_other_keys_is_refused(engine: Engine, events: ModelEvents, invoice: Any) -> None:
    """A misspelt key would unlink the event silently."""
    events.track_model(invoice, created="invoice.opened", identity=lambda row: {"user": "u-1"})

    with pytest.raises(TypeError, match="identity must return a mapping with usr, account, session or consent"):
        write(engine, invoice)


def test_callables_may_query(engine: Engine, events: ModelEvents, invoice: Any, happened: Events) -> None:
    """They are asked when the flush is over, or before the row goes: loading something is no trouble."""
    events.track_model(
        invoice,
        created="invoice.opened",
        deleted="invoice.voided",
        attributes=lambda row: {"parent": row.parent.number},
    )
    invoice.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(invoice(number=7, parent_id=None, id=1, parent=invoice(id=2, number=8, parent_id=2)))
        session.commit()
        session.add(invoice(id=3, parent_id=1))
        session.commit()
        session.delete(session.get_one(invoice, 3))
        session.commit()

    assert [(event["name"], event["parent"]) for event in happened()] == [
        ("invoice.opened", 7),
        ("invoice.opened", 8),
        ("invoice.opened", 8),
        ("invoice.voided", 7),
    ]


def test_disabled_emitter_asks_nobody(
    engine: Engine, make_emitter: MakeEmitter, events: ModelEvents, invoice: Any, emulator: Emulator
) -> None:
    """No callable runs."""
    make_emitter(enabled=False)
    options: Any = {**LIFE, "when": lambda row: 1 // 0}
    events.track_model(invoice, **options)

    write(engine, invoice)

    assert emulator.events == []


def test_without_an_emitter_nothing_is_tracked(engine: Engine, emitter: Emitter, invoice: Any) -> None:
    """`None` says that there is nobody to track for."""
    options: Any = LIFE
    ModelEvents(lambda: None).track_model(invoice, **options)

    write(engine, invoice)

    assert emitter.stats().queued == 0


def test_an_emitter_can_be_given_as_it_is(engine: Engine, emitter: Emitter, invoice: Any, happened: Events) -> None:
    """An application with one emitter has no need of a callable."""
    ModelEvents(emitter).track_model(invoice, created="invoice.opened")

    write(engine, invoice)

    assert [event["name"] for event in happened()] == ["invoice.opened"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        pytest.param({}, TypeError, "needs the name of an event", id="nothing"),
        pytest.param({"created": ""}, TypeError, "needs the name of an event", id="empty-name"),
        pytest.param({"creatd": "invoice.opened"}, TypeError, "creatd", id="misspelt-option"),
        pytest.param({"created": "x", "attributes": "number"}, TypeError, "give a list", id="one-text"),
        pytest.param({"updated": {"status": "x"}}, ValueError, r"Invoice\.status is not mapped", id="misspelt"),
        pytest.param({"updated": {"is_open": "x"}}, ValueError, r"is_open is not mapped", id="hybrid"),
        pytest.param({"created": "x", "attributes": ["nummer"]}, ValueError, r"nummer is not mapped", id="attributes"),
    ],
)
def test_mistake_is_refused_at_once(
    events: ModelEvents, invoice: Any, options: Any, error: type[Exception], message: str
) -> None:
    """When the module is imported."""
    with pytest.raises(error, match=message):
        events.track_model(invoice, **options)


@pytest.mark.parametrize("configured", [True, False])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"updated": {"parent": "x"}}, r"Invoice\.parent .*name the column behind it", id="updated"),
        pytest.param({"created": "x", "attributes": ["parent"]}, r"Invoice\.parent is no column", id="attributes"),
    ],
)
def test_relationship_is_refused_when_the_mappers_are_known(
    events: ModelEvents, invoice: Any, options: Any, message: str, configured: bool
) -> None:
    """Before the first query, as SQLAlchemy's own mistakes are."""
    if configured:
        configure_mappers()

    def declare() -> None:
        events.track_model(invoice, **options)
        configure_mappers()

    with pytest.raises(ValueError, match=message):
        declare()


def test_heir_of_a_mixin_is_checked(events: ModelEvents, base: type[DeclarativeBase]) -> None:
    """A mixin has no mapper to ask: each heir must have what it names."""

    class Dated:
        pass

    events.track_model(Dated, updated={"date": "thing.moved"})

    class Thing(Dated, base):  # type: ignore[valid-type,misc] # made for this test
        __tablename__ = "things"

        id: Mapped[int] = mapped_column(primary_key=True)

    with pytest.raises(ValueError, match=r"Thing\.date is not mapped"):
        configure_mappers()


def test_reserved_class_name_needs_a_callable(events: ModelEvents, base: type[DeclarativeBase]) -> None:
    """Its columns would be sent under a name that is not free."""

    class Session(base):  # type: ignore[valid-type,misc] # made for this test
        __tablename__ = "sessions"

        id: Mapped[int] = mapped_column(primary_key=True)

    with pytest.raises(ValueError, match="'session', which is reserved"):
        events.track_model(Session, created="session.begun", attributes=["id"])


def test_what_is_no_class_is_refused(events: ModelEvents) -> None:
    """As a table, for which there are no objects."""
    with pytest.raises(TypeError, match="is for mapped classes"):
        events.track_model(created="invoice.opened")("invoices")  # type: ignore[type-var] # the mistake


def test_transitions_have_events_of_their_own(
    engine: Engine, events: ModelEvents, invoice: Any, happened: Events
) -> None:
    """A mapping in place of the name: only the values that it names are events."""
    events.track_model(
        invoice,
        updated={"state": {"paid": "invoice.paid", "void": "invoice.voided"}, "number": "invoice.renumbered"},
    )

    write(engine, invoice)

    assert [(event["name"], list(event["changed"])) for event in happened()] == [
        ("invoice.paid", ["state"]),
        ("invoice.renumbered", ["number"]),
    ]


def test_callables_see_the_event_and_the_change(
    engine: Engine, events: ModelEvents, invoice: Any, happened: Events
) -> None:
    """If they ask for them."""
    options: Any = {
        **LIFE,
        "attributes": lambda row, name, change: {"told": f"{name}: {sorted(change or ())}"},
        "when": lambda row, name: name != "invoice.voided",
    }
    events.track_model(invoice, **options)

    write(engine, invoice)

    assert [event["told"] for event in happened()] == ["invoice.changed: ['state']", "invoice.opened: []"]


@pytest.mark.parametrize(("label", "expected"), [(None, "invoice"), ("bill", "bill")])
def test_subclass_sends_columns_under_the_same_name(
    engine: Engine,
    base: type[DeclarativeBase],
    events: ModelEvents,
    invoice: Any,
    happened: Events,
    label: str | None,
    expected: str,
) -> None:
    """A report over the events need not know which class wrote the row."""
    events.track_model(invoice, created="invoice.opened", attributes=["number"], label=label)

    class Reminder(invoice):  # type: ignore[misc] # made for each test
        pass

    base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([invoice(), Reminder()])
        session.commit()

    assert [event[expected] for event in happened()] == [{"number": 1}, {"number": 1}]
