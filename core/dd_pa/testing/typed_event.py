"""Typed events in tests: what an assertion expects of one, and events of a class for property tests."""

from __future__ import annotations

import datetime as dt
import types
import typing
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from dd_pa.capture.attributes import MAX_INT, MIN_INT, AttributeCleaner
from dd_pa.capture.before_send import decoded
from dd_pa.capture.foreign_values import record
from dd_pa.plan.class_members import hints_of
from dd_pa.plan.event_class import Event, EventType, event_name
from dd_pa.plan.money import Money
from dd_pa.plan.personal_data import treated, without

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

EventT = TypeVar("EventT", bound=Event)


def expectation(
    given: Any, attributes: Mapping[str, Any] | None, *, exact: bool
) -> tuple[str, Mapping[str, Any] | None, bool]:
    """Return name, attributes and exactness of what is expected: of a typed event all of them, but personal data."""
    if not isinstance(given, Event):
        return event_name(given) if isinstance(given, EventType) else given, attributes, exact
    schema = type(given).__schema__
    if attributes is not None:
        raise TypeError("a typed event has its attributes inside")
    if not schema.personal:
        return event_name(given), record(given), True
    plain = AttributeCleaner(strict=False).clean(record(given))
    encoded = msgspec.json.Encoder(decimal_format="number").encode(plain)
    return event_name(given), decoded(treated(encoded, schema.personal, without)), exact


def events_of(kind: type[EventT]) -> SearchStrategy[EventT]:
    """Return a strategy of hypothesis for events of a class that can be sent and are on the plan.

    `from_type` of hypothesis gives the same for a class of a module; for one of a function, numbers that are none, too.
    """
    return _object(kind).filter(_is_on_plan)


def _is_on_plan(event: Event) -> bool:
    cleaner = AttributeCleaner(strict=False)
    encoded = msgspec.json.Encoder(decimal_format="number").encode(cleaner.clean(record(event)))
    try:
        type(event).__schema__.check(encoded)
    except msgspec.ValidationError:
        return False
    return not cleaner.repairs


def _object(kind: Any) -> SearchStrategy[Any]:
    from hypothesis import strategies as st  # noqa: PLC0415 - not every test is one of properties

    return st.builds(kind, **{name: _values(hint) for name, hint in hints_of(kind).items() if name[0] != "_"})


def _values(hint: Any) -> SearchStrategy[Any]:
    from hypothesis import strategies as st  # noqa: PLC0415

    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _limited(arguments[0], hint.__metadata__)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*(_values(each) for each in arguments if each is not msgspec.UnsetType))
    if origin in (list, set, frozenset) and len(arguments) == 1:
        return st.lists(_values(arguments[0]), max_size=3).map(origin)
    if origin is dict:
        return st.dictionaries(st.text(min_size=1, max_size=9), _values(arguments[1]), max_size=3)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct) and hint is not Money:
        return _object(hint)
    made = _scalars().get(hint)
    return st.from_type(hint) if made is None else made


def _scalars() -> dict[Any, SearchStrategy[Any]]:
    from hypothesis import strategies as st  # noqa: PLC0415

    amounts = st.decimals(-(10**9), 10**9, places=2)
    return {
        int: st.integers(MIN_INT, MAX_INT),
        float: st.floats(allow_nan=False, allow_infinity=False),
        Decimal: amounts,
        str: st.text(max_size=50),
        dt.timedelta: st.timedeltas(dt.timedelta(), dt.timedelta(days=400)),
        Money: st.builds(Money, amount=amounts, currency=st.sampled_from(["EUR", "USD", "CHF", "JPY"])),
    }


def _limited(hint: Any, metadata: tuple[Any, ...]) -> SearchStrategy[Any]:
    from hypothesis import strategies as st  # noqa: PLC0415

    for meta in metadata:
        if isinstance(meta, msgspec.Meta) and meta.pattern is not None:
            return st.from_regex(meta.pattern, fullmatch=True)
        if isinstance(meta, msgspec.Meta) and hint is int and (meta.ge, meta.le) != (None, None):
            return st.integers(meta.ge, meta.le)  # type: ignore[arg-type]
        if isinstance(meta, msgspec.Meta) and hint is str and (meta.min_length, meta.max_length) != (None, None):
            return st.text(min_size=meta.min_length or 0, max_size=meta.max_length)
    return _values(hint)
