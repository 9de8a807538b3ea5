"""Attributes as callers may give them: the documented types, the ones that are refused, and the hostile."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import uuid
from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple
from unittest.mock import Mock

from django.utils.functional import lazystr
from django.utils.safestring import SafeString
from hypothesis import strategies as st

from dd_pa.capture.attributes import RESERVED

MARK = "marked value 4711"
"""Part of every text among the values, so that it can be searched for in messages."""


class Plan(enum.Enum):
    FREE = "free"
    LEVEL = 3
    PRICE = Decimal("9.90")


class Colour(enum.StrEnum):
    RED = "red"


class Subtext(str):
    """A text of another type, as template engines and ORMs have them."""


class Subnumber(int):
    """A number of another type."""


class Line(NamedTuple):
    sku: str
    amount: int


@dataclasses.dataclass
class Order:
    total: Any
    lines: Any = ()


class HostileKey(str):
    """A key that looks different to a set than to the encoder."""

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        return False


class KeyEnum(str, enum.Enum):  # noqa: UP042 - the hash of this one differs from its text's, that of StrEnum too
    USR = "usr"
    DOTTED = "session.id"


class HostileText(str):
    """A text with a mind of its own."""

    def __str__(self) -> str:
        raise RuntimeError(MARK)

    def __len__(self) -> int:
        return 10**9

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        raise RuntimeError(MARK)


class HostileInt(int):
    """A number that claims to be another."""

    def __int__(self) -> int:
        return 10**100

    def __le__(self, other: object) -> bool:
        return True

    __ge__ = __le__


class HostileFloat(float):
    """Not a number, which says that it is one."""

    def __float__(self) -> float:
        return 1.0

    def __sub__(self, other: object) -> float:
        return 0.0


class HostileDate(dt.date):
    def isoformat(self) -> Any:
        return float("nan")


class HostileUUID(uuid.UUID):
    def __str__(self) -> str:
        return HostileText("x")


class Failing(Mapping[str, Any]):
    """A mapping that gives some members and then fails."""

    def __getitem__(self, key: str) -> Any:
        return MARK

    def __iter__(self) -> Iterator[str]:
        yield "first"
        raise RuntimeError(MARK)

    def __len__(self) -> int:
        return 2


class Endless(Mapping[str, Any]):
    """A mapping without end."""

    def __getitem__(self, key: str) -> Any:
        return Endless()

    def __iter__(self) -> Iterator[str]:
        number = 0
        while True:
            yield f"key{number}"
            number += 1

    def __len__(self) -> int:
        return 1


class EndlessKeys(Endless):
    """A mapping without end, of keys that are refused."""

    def __iter__(self) -> Iterator[Any]:
        while True:
            yield None


class EndlessList(list[Any]):
    def __iter__(self) -> Iterator[Any]:
        while True:
            yield "item"


class Changing(dict[str, Any]):
    """A dict that somebody changes while it is read, as another thread may."""

    def items(self) -> Any:
        for item in super().items():
            self[f"more{len(self)}"] = 1
            yield item


class NoPairs(dict[str, Any]):
    def items(self) -> Any:
        return iter([1, ("a", "b", "c")])


class Unreadable:
    """Not of a documented type, with a secret inside."""

    def __init__(self) -> None:
        self.password = MARK

    def __repr__(self) -> str:
        return MARK


@dataclasses.dataclass
class Broken:
    """A dataclass with a field that cannot be read."""

    total: int

    def __getattribute__(self, name: str) -> Any:
        if name == "total":
            raise RuntimeError(MARK)
        return super().__getattribute__(name)


def failing_text() -> str:
    raise RuntimeError(MARK)


CYCLE: dict[str, Any] = {"name": MARK}
CYCLE["self"] = CYCLE
LIST_CYCLE: list[Any] = [MARK]
LIST_CYCLE.append(LIST_CYCLE)

REFUSED: dict[str, Any] = {
    "nan": float("nan"),
    "infinity": float("inf"),
    "minus-infinity": float("-inf"),
    "decimal-nan": Decimal("NaN"),
    "decimal-signalling-nan": Decimal("sNaN"),
    "decimal-infinity": Decimal("-Infinity"),
    "decimal-exponent": Decimal("1E+1000000"),
    "decimal-small-exponent": Decimal("1E-1000000"),
    "decimal-zero-exponent": Decimal("0E-1000000"),
    "decimal-digits": Decimal("1" * 65),
    "int-65-bits": 2**63,
    "int-negative": -(2**63) - 1,
    "int-huge": 10**10000,
    "surrogate": f"{MARK} \ud800",
    "bytes": MARK.encode(),
    "bytearray": bytearray(MARK.encode()),
    "memoryview": memoryview(MARK.encode()),
    "complex": 1j,
    "range": range(3),
    "generator": (MARK for _ in range(3)),
    "exception": ValueError(MARK),
    "class": Unreadable,
    "dataclass-class": Order,
    "function": failing_text,
    "object": Unreadable(),
    "mapping-failing": Failing(),
    "no-pairs": NoPairs(a=1),
    "broken-dataclass": Broken(total=1),
    "hostile-float": HostileFloat("nan"),
    "hostile-date": HostileDate(2026, 1, 1),
    "mock-of-text": Mock(spec=str),
    "mock-of-number": Mock(spec=int),
    "mock-of-flag": Mock(spec=bool),
    "mock-of-mapping": Mock(spec=dict),
    "mock-of-enum": Mock(spec=Plan.FREE),
    "cycle": CYCLE,
    "list-cycle": LIST_CYCLE,
}
"""Values that strict mode refuses, by name."""

BAD_KEYS: list[Any] = [
    *sorted(RESERVED),
    "usr.id",
    "session.id",
    "dd_pa.event_id",
    "type.",
    KeyEnum.USR,
    KeyEnum.DOTTED,
    HostileKey("account"),
    HostileKey("event.name"),
    Subtext("application"),
    "",
    "\ud800",
    None,
    True,
    1.5,
    b"key",
    2**63,
    (1, 2),
]
"""Keys that strict mode refuses at the top level."""


def lazy_text(text: str) -> Any:
    """A text that Django evaluates when it is used, of the type that `gettext_lazy` gives."""
    return lazystr(text)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(lambda text: MARK + text)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6).filter(
    lambda key: key.partition(".")[0] not in RESERVED
)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False).filter(
    lambda number: len(number.as_tuple().digits) <= 64 and abs(number.adjusted()) <= 64
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
    TEXTS.map(Subtext),
    TEXTS.map(SafeString),
    TEXTS.map(lazy_text),
    st.integers(-100, 100).map(Subnumber),
    DECIMALS,
    st.datetimes(timezones=st.just(dt.UTC) | st.none()),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.uuids(),
    st.sampled_from([*Plan, *Colour]),
)
"""Values of the documented types."""


def nested(scalars: st.SearchStrategy[Any], keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return scalars, and all kinds of containers of them."""

    def containers(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.one_of(
            st.dictionaries(keys, values, max_size=4),
            st.dictionaries(keys, values, max_size=3).map(MappingProxyType),
            st.lists(values, max_size=4),
            st.lists(values, max_size=3).map(tuple),
            st.builds(Order, values, values),
            st.builds(Line, TEXTS, st.integers(0, 9)),
            st.frozensets(st.integers(0, 9), max_size=1),
        )

    return st.recursive(scalars, containers, max_leaves=12)


GOOD = st.dictionaries(KEYS, nested(SCALARS, KEYS), max_size=5)
"""Attributes that strict mode takes, but for two keys that become one."""

ANY_KEYS = KEYS | st.sampled_from(BAD_KEYS) | st.integers(-3, 3) | st.sampled_from(["1", "-1", "key0"])


def refused(name: str) -> Any:
    return REFUSED[name]


REFUSED_VALUES = st.sampled_from(sorted(REFUSED.keys() - {"int-huge"})).map(refused)  # it has no repr to report
HOSTILE = st.one_of(
    REFUSED_VALUES,
    st.builds(Endless),
    st.builds(EndlessKeys),
    st.builds(EndlessList),
    st.builds(Changing, a=st.integers(), b=st.integers()),
    st.builds(HostileText, TEXTS),
    st.builds(HostileInt, st.integers(-(2**70), 2**70)),
    st.just(HostileUUID(int=1)),
)
MIXED = st.dictionaries(ANY_KEYS, nested(SCALARS | REFUSED_VALUES, ANY_KEYS), max_size=5)
"""Attributes with some of what strict mode refuses."""

ANYTHING = st.dictionaries(ANY_KEYS, nested(SCALARS | HOSTILE, ANY_KEYS), max_size=5) | HOSTILE
"""Attributes, or what somebody passes instead."""


def as_sent(value: Any) -> Any:
    """Return what a value of a documented type is on the wire, floats as the decimals they are written as."""
    if isinstance(value, enum.Enum):
        return as_sent(value.value)
    if isinstance(value, float):
        return Decimal(repr(value))
    if value is None or isinstance(value, (bool, int, Decimal)):
        return value
    if isinstance(value, (dt.date, dt.time, dt.timedelta)):
        return as_sent(value.total_seconds()) if isinstance(value, dt.timedelta) else value.isoformat()
    if dataclasses.is_dataclass(value):
        return {field.name: as_sent(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(as_sent(key)): as_sent(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, frozenset)):
        return [as_sent(item) for item in value]
    return str(value)
