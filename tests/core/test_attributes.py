from __future__ import annotations

import contextlib
import datetime as dt
import importlib
import re
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import httpx
import pytest
import starlette.datastructures as starlette
import werkzeug.datastructures as werkzeug
from django.utils.datastructures import MultiValueDict
from django.utils.functional import lazy
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from pydantic import RootModel

from dd_pa import EventError, Identity
from dd_pa.capture.attributes import LONG, MAX_ATTRIBUTES, MAX_BYTES, MAX_DEPTH, RESERVED, shallow_copy
from dd_pa.capture.event import EventBuilder
from tests.core.attribute_values import (
    ANYTHING,
    BAD_KEYS,
    CYCLE,
    GOOD,
    MARK,
    MIXED,
    REFUSED,
    Changing,
    Colour,
    Endless,
    EndlessKeys,
    EndlessList,
    Failing,
    HostileFloat,
    HostileInt,
    HostileKey,
    HostileText,
    KeyEnum,
    Line,
    Order,
    Plan,
    Subtext,
    as_sent,
    lazy_text,
)
from tests.core.wire import STRUCTURE, depth, event, parsed, settings, size, without_ids

pd: Any = importlib.import_module("pandas")  # has no types
USR = Identity(usr="u-1")
STRICT, LENIENT = EventBuilder(settings(strict=True)), EventBuilder(settings())
MANY = hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def sent(attributes: Any, builder: EventBuilder = STRICT) -> dict[str, Any]:
    """Return the attributes of the body that is made of these."""
    body = without_ids(builder.build("x.y", attributes, USR)[0].body)
    start = event("x.y", usr="u-1")
    assert {key: body.pop(key) for key in start} == start
    return body


def repaired(attributes: Any) -> tuple[dict[str, Any], list[str]]:
    """Return what lenient mode makes of attributes, and what it says about it."""
    return sent(attributes, LENIENT), list(LENIENT.build("x.y", attributes, USR)[1])


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        pytest.param(None, None, id="none"),
        pytest.param(True, True, id="flag"),
        pytest.param("Zoë 😀 \u2028 </script>", "Zoë 😀 \u2028 </script>", id="text"),
        pytest.param('"\\\x00\x1f\n', '"\\\x00\x1f\n', id="text-with-escapes"),
        pytest.param("x" * (LONG + 1), "x" * (LONG + 1), id="long-text"),
        pytest.param(2**63 - 1, 2**63 - 1, id="largest-int"),
        pytest.param(-(2**63), -(2**63), id="smallest-int"),
        pytest.param(0.1, Decimal("0.1"), id="float"),
        pytest.param(5e-324, Decimal("5e-324"), id="smallest-float"),
        pytest.param(Decimal("19.90"), Decimal("19.90"), id="decimal"),
        pytest.param(Decimal("12345678901234567890.123456789"), Decimal("12345678901234567890.123456789"), id="exact"),
        pytest.param(Decimal("1E+20"), Decimal("1E+20"), id="decimal-exponent"),
        pytest.param(dt.datetime(2026, 11, 23, 14, 5, tzinfo=dt.UTC), "2026-11-23T14:05:00+00:00", id="datetime"),
        pytest.param(dt.date(2026, 11, 23), "2026-11-23", id="date"),
        pytest.param(dt.time(14, 5), "14:05:00", id="time"),
        pytest.param(dt.timedelta(minutes=1.5), Decimal("90.0"), id="timedelta-in-seconds"),
        pytest.param(uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001", id="uuid"),
        pytest.param(Plan.LEVEL, 3, id="enum"),
        pytest.param(Plan.PRICE, Decimal("9.90"), id="enum-of-decimal"),
        pytest.param(Colour.RED, "red", id="text-enum"),
        pytest.param(Subtext("sub"), "sub", id="subclass-of-text"),
        pytest.param(lazy_text("late"), "late", id="lazy-text"),
        pytest.param([1, [2, {"a": 3}]], [1, [2, {"a": 3}]], id="lists"),
        pytest.param((1, "a"), [1, "a"], id="tuple"),
        pytest.param({1}, [1], id="set"),
        pytest.param(frozenset(["a"]), ["a"], id="frozenset"),
        pytest.param(Line("a-1", 2), ["a-1", 2], id="named-tuple"),
        pytest.param(
            Order(total=Decimal("1.5"), lines=[Line("a", 1)]),
            {"total": Decimal("1.5"), "lines": [["a", 1]]},
            id="dataclass",
        ),
        pytest.param(RootModel[str]("text"), "text", id="model-of-a-text"),
        pytest.param(RootModel[int](7), 7, id="model-of-a-number"),
        pytest.param(RootModel[None](None), None, id="model-of-nothing"),
        pytest.param(RootModel[list[Plan]]([Plan.FREE]), ["free"], id="model-of-a-list"),
        pytest.param(
            RootModel[dict[str, RootModel[Decimal]]]({"a": RootModel[Decimal](Decimal("1.5"))}),
            {"a": Decimal("1.5")},
            id="model-of-models",
        ),
        pytest.param(OrderedDict(a=1), {"a": 1}, id="ordered-dict"),
        pytest.param(MappingProxyType({"a": 1}), {"a": 1}, id="mapping"),
        pytest.param({1: "a", -2: "b"}, {"1": "a", "-2": "b"}, id="int-keys"),
        pytest.param({Plan.FREE: 1, Colour.RED: 2}, {"free": 1, "red": 2}, id="enum-keys"),
        pytest.param({uuid.UUID(int=1): 1}, {"00000000-0000-0000-0000-000000000001": 1}, id="uuid-keys"),
        pytest.param({"usr": 1, "type": 2}, {"usr": 1, "type": 2}, id="reserved-names-inside"),
        pytest.param({}, {}, id="empty-mapping"),
        pytest.param([], [], id="empty-list"),
    ],
)
@pytest.mark.parametrize("builder", [pytest.param(STRICT, id="strict"), pytest.param(LENIENT, id="lenient")])
def test_documented_types(value: object, wire: object, builder: EventBuilder) -> None:
    """Each has one form on the wire, whatever stands beside it and in both modes."""
    assert sent({"value": value}, builder) == {"value": wire}
    assert sent({"value": value, "careful": Decimal(1)}, builder) == {"value": wire, "careful": 1}


def test_lazy_texts_are_evaluated_by_the_call() -> None:
    """In the language of that moment; one that cannot be evaluated (Django is not set up) is like any other failure."""
    language = "de"
    label = lazy(lambda: {"de": "Ja", "en": "Yes"}[language], str)()

    body = STRICT.build("x.y", {"label": label}, USR)[0].body
    language = "xx"

    assert parsed(body)["label"] == "Ja"
    assert repaired({"label": label}) == ({}, ["label: could not be read: KeyError"])


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda pairs: MultiValueDict(werkzeug.MultiDict(pairs).lists()), id="django"),
        pytest.param(werkzeug.MultiDict, id="werkzeug"),
        pytest.param(werkzeug.ImmutableMultiDict, id="werkzeug-immutable"),
        pytest.param(lambda pairs: werkzeug.CombinedMultiDict([werkzeug.MultiDict(pairs)]), id="flask-values"),
        pytest.param(starlette.QueryParams, id="starlette"),
        pytest.param(httpx.QueryParams, id="httpx"),
    ],
)
@pytest.mark.parametrize("builder", [pytest.param(STRICT, id="strict"), pytest.param(LENIENT, id="lenient")])
def test_keys_with_several_values_keep_all(make: Any, builder: EventBuilder) -> None:
    """A query or form as an attribute, and as the attributes; their `items()` would drop values in silence."""
    values = make([("tag", "a"), ("q", "x"), ("tag", "b")])
    wire = {"tag": ["a", "b"], "q": "x"}

    assert sent(values, builder) == wire
    assert sent({"query": [values]}, builder) == {"query": [wire]}
    assert shallow_copy(values) == wire
    assert sent({"query": make([])}, builder) == {"query": {}}


@pytest.mark.parametrize("value", [pd.NaT, pd.Timedelta("NaT")], ids=["moment", "duration"])
def test_no_moment_is_refused_as_nan_is(value: Any) -> None:
    """It would be the text `NaT` among times, and no facet could be made of them."""
    with pytest.raises(EventError, match=r"^at: is no moment \(NaT\)$"):
        STRICT.build("x.y", {"at": value}, USR)

    assert repaired({"at": value, "kept": pd.Timestamp("2026-01-01")})[0] == {"kept": "2026-01-01T00:00:00"}


@pytest.mark.parametrize("value", [pytest.param(value, id=name) for name, value in REFUSED.items()])
@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        pytest.param(lambda value: {"value": value}, "value", id="top"),
        pytest.param(lambda value: {"order": {"lines": [1, {"value": value}]}}, "order.lines[1].value", id="nested"),
        pytest.param(lambda value: {"order": Order(total=value)}, "order.total", id="in-a-dataclass"),
    ],
)
def test_refused_values(value: Any, wrap: Callable[[Any], Any], path: str) -> None:
    """Strict mode says where and why, never the value; lenient mode leaves it out and says the same."""
    with pytest.raises(EventError) as caught:
        STRICT.build("x.y", wrap(value), USR)

    assert caught.value.path.startswith(path)
    assert str(caught.value) == f"{caught.value.path}: {caught.value.problem}"
    assert MARK not in str(caught.value)
    _, repairs = repaired(wrap(value) | {"kept": 1})
    assert repairs[0] == str(caught.value)[:200]
    assert not [repair for repair in repairs if MARK in repair]


def test_lenient_mode_keeps_the_rest() -> None:
    """One bad value costs that value, not its neighbours."""
    attributes = {"order": {"total": float("nan"), "id": "o-1", "lines": [1, b"x", 2]}, "usr": 1, "plan": "free"}

    kept, repairs = repaired(attributes)

    assert kept == {"order": {"id": "o-1", "lines": [1, 2]}, "plan": "free"}
    assert repairs == [
        "order.total: is not a finite number",
        "order.lines[1]: bytes cannot be sent; give a text, a number or a mapping",
        "usr: is a reserved name; choose another, such as order.type for type",
    ]


def test_half_surrogate_pairs_are_replaced() -> None:
    """A text that was cut in the middle of a character is still worth something."""
    assert repaired({"note": "cut \ud83d", "list": ["\udc80a"]})[0] == {"note": "cut ?", "list": ["?a"]}


@pytest.mark.parametrize("key", [pytest.param(key, id=ascii(key)) for key in BAD_KEYS])
@pytest.mark.parametrize("beside", [pytest.param(1, id="plain"), pytest.param(Decimal(1), id="careful")])
def test_keys_that_are_refused(key: Any, beside: object) -> None:
    """Reserved ones, dotted ones that would become the same facet, and keys that are no text; plain type or not."""
    with pytest.raises(EventError) as caught:
        STRICT.build("x.y", {"beside": beside, key: MARK}, USR)

    assert MARK not in str(caught.value)
    assert repaired({"beside": beside, key: MARK}) == ({"beside": 1}, [str(caught.value)])


@pytest.mark.parametrize(
    ("attributes", "path"),
    [
        pytest.param({1: "a", "1": "b"}, "1", id="number-and-text"),
        pytest.param({"a": {Plan.FREE: 1, "free": 2}}, "a.free", id="enum-and-text"),
        pytest.param({"a": [{HostileKey("b"): 1, "b": 2}]}, "a[0].b", id="text-that-differs-from-itself"),
    ],
)
def test_keys_that_become_one_are_refused(attributes: dict[Any, Any], path: str) -> None:
    """Else a JSON object would have a key twice; lenient mode keeps the first."""
    with pytest.raises(EventError, match=re.escape(f"{path}: is given twice")):
        STRICT.build("x.y", attributes, USR)

    assert repaired(attributes)[1] == [f"{path}: is given twice"]


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        pytest.param("a\nCRITICAL forged", r"'a\nCRITICAL forged'", id="newline"),
        pytest.param("\x1b[2Ja", r"'\x1b[2Ja'", id="terminal"),
        pytest.param("k" * 5000, "k" * 100, id="long"),
    ],
)
def test_paths_are_safe_to_show(key: str, shown: str) -> None:
    """In one line and cut, because exceptions and repairs end up in logs."""
    with pytest.raises(EventError) as caught:
        STRICT.build("x.y", {key: float("nan")}, USR)

    assert caught.value.path == shown
    assert repaired({key: float("nan")})[1] == [f"{shown}: is not a finite number"]


@pytest.mark.parametrize("attributes", [[], [("a", 1)], "text", 5, True, b"", Order, float("nan")], ids=repr)
def test_attributes_must_be_a_mapping(attributes: Any) -> None:
    """An empty list is no mapping either. In lenient mode, too, there is no event to be made of it."""
    for builder in (STRICT, LENIENT):
        with pytest.raises(EventError, match=r"^attributes: must be a mapping, not "):
            builder.build("x.y", attributes, USR)


def nest(levels: int, innermost: Any = 1) -> dict[str, Any]:
    """Return mappings in mappings."""
    value = innermost
    for _ in range(levels):
        value = {"a": value}
    return dict(value)


@pytest.mark.parametrize("value", [pytest.param(1, id="plain"), pytest.param(Decimal(1), id="careful")])
def test_depth_is_limited(value: object) -> None:
    """To what Datadog documents, the event itself counted; a list counts as a level."""
    assert depth(sent(nest(MAX_DEPTH, value))) == MAX_DEPTH
    assert depth(sent(nest(MAX_DEPTH - 1, [value]))) == MAX_DEPTH
    for deeper in (nest(MAX_DEPTH + 1, value), nest(MAX_DEPTH, [value])):
        with pytest.raises(EventError, match=r"^a(\.a)+: lies deeper than 20 levels$"):
            STRICT.build("x.y", deeper, USR)
        assert depth(repaired(deeper)[0]) == MAX_DEPTH


@pytest.mark.parametrize("value", [pytest.param(1, id="plain"), pytest.param(Decimal(1), id="careful")])
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda count, value: {f"k{number}": value for number in range(count)}, id="members"),
        pytest.param(lambda count, value: {"list": [value] * (count - 1)}, id="items"),
        pytest.param(
            lambda count, value: {"a": {f"k{number}": value for number in range(count - 502)}, "b": [value] * 500},
            id="shared-out",
        ),
    ],
)
def test_the_number_of_attributes_is_limited(make: Callable[[int, object], Any], value: object) -> None:
    """All levels together; lenient mode sends the first ones."""
    assert size(sent(make(MAX_ATTRIBUTES, value))) == MAX_ATTRIBUTES
    with pytest.raises(EventError, match="an event can have 988 attributes, lists and mappings counted"):
        STRICT.build("x.y", make(MAX_ATTRIBUTES + 1, value), USR)
    assert size(repaired(make(MAX_ATTRIBUTES + 1, value))[0]) == MAX_ATTRIBUTES


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({"text": "x" * MAX_BYTES}, id="text"),
        pytest.param({"text": "ü" * (MAX_BYTES // 2)}, id="two-bytes-each"),
        pytest.param({"text": "\x00" * (MAX_BYTES // 6)}, id="six-bytes-each"),
        pytest.param({"k" * MAX_BYTES: 1}, id="key"),
        pytest.param({"a": ["x" * (MAX_BYTES // 100)] * 100}, id="sum"),
        pytest.param({f"k{number}": "\x00" * LONG for number in range(200)}, id="plain"),
    ],
)
def test_the_size_is_limited(attributes: dict[str, Any]) -> None:
    """In bytes as encoded; nothing can be left out that would help, so the event is refused in both modes."""
    for builder in (STRICT, LENIENT):
        with pytest.raises(EventError, match=r"^the event has .* bytes"):
            builder.build("x.y", attributes, USR)


def test_an_event_of_just_the_limit_is_sent() -> None:
    """The limit is on the whole body."""
    room = MAX_BYTES - len(STRICT.build("x.y", {"text": ""}, USR)[0].body)

    assert len(STRICT.build("x.y", {"text": "x" * room}, USR)[0].body) == MAX_BYTES
    with pytest.raises(EventError, match="the event has 1,000,001 bytes; the limit is 1,000,000"):
        STRICT.build("x.y", {"text": "x" * (room + 1)}, USR)


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param(Endless(), id="mapping"),
        pytest.param({"a": Endless()}, id="nested-mapping"),
        pytest.param(EndlessKeys(), id="keys"),
        pytest.param({"a": EndlessList([1])}, id="list"),
        pytest.param(CYCLE, id="cycle"),
    ],
)
def test_what_has_no_end_is_cut(attributes: Mapping[str, Any]) -> None:
    """At the limits, and the event is sent."""
    kept, repairs = repaired(attributes)

    assert size(kept) <= MAX_ATTRIBUTES
    assert depth(kept) <= MAX_DEPTH
    assert repairs
    assert len(repairs) <= 2 * MAX_ATTRIBUTES


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        pytest.param(HostileText("text"), "text", id="text"),
        pytest.param(HostileInt(5), 5, id="number"),
        pytest.param(HostileFloat(2.5), Decimal("2.5"), id="float"),
        pytest.param({HostileKey("b"): 1}, {"b": 1}, id="key"),
    ],
)
def test_subclasses_are_taken_at_their_real_value(value: object, kept: object) -> None:
    """None of their own code runs."""
    assert sent({"value": value}) == {"value": kept}


def test_what_is_read_by_the_callers_code_costs_itself_only() -> None:
    """A mapping that fails or changes while it is read is left out; its cause stays visible in strict mode."""
    assert repaired({"a": Failing(), "b": Changing(x=1), "c": 3})[0] == {"c": 3}
    assert repaired(Failing()) == ({}, ["attributes: could not be read: RuntimeError"])
    with pytest.raises(EventError, match=r"^a: could not be read: RuntimeError$") as caught:
        STRICT.build("x.y", {"a": Failing()}, USR)
    assert isinstance(caught.value.__cause__, RuntimeError)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_the_end_of_the_process_is_not_held_up(error: type[BaseException]) -> None:
    """What is no `Exception` goes through, in lenient mode too."""

    class Leaving(Failing):
        def items(self) -> Any:
            raise error

    with pytest.raises(error):
        LENIENT.build("x.y", {"a": Leaving()}, USR)


def test_attributes_are_copied() -> None:
    """What was passed can be changed as soon as the call returns."""
    attributes: dict[str, Any] = {"order": {"total": 1}, "tags": ["a"]}

    body = STRICT.build("x.y", attributes, USR)[0].body
    attributes["order"]["total"] = 2
    attributes["tags"].append("b")

    assert parsed(body)["order"] == {"total": 1}
    assert parsed(body)["tags"] == ["a"]


@MANY
@given(GOOD)
def test_documented_types_come_back_equal(attributes: dict[str, Any]) -> None:
    """In both modes, by the quick way and by the careful one, at any nesting."""
    for builder in (STRICT, LENIENT):
        assert sent(attributes, builder) == as_sent(attributes)
        assert sent(MappingProxyType(attributes), builder) == as_sent(attributes)


@MANY
@given(MIXED)
def test_strict_mode_refuses_or_sends_the_equal(attributes: dict[Any, Any]) -> None:
    """Nothing is changed in silence; a refusal names no value."""
    try:
        found = sent(attributes)
    except EventError as error:
        problem = str(error)
    else:
        assert found == as_sent(attributes)
        return

    assert MARK not in problem
    assert problem.isprintable()


@MANY
@given(ANYTHING)
@example({"usr": 1, "usr.id": 2, KeyEnum.USR: 3, HostileKey("usr"): 4})
def test_lenient_mode_sends_what_anybody_can_read(attributes: Any) -> None:
    """Whatever is passed: an event within the limits whose structure is what was asked for, or an `EventError`."""
    identity = Identity(account="acme", session="s-1")
    with contextlib.suppress(EventError):  # no mapping: the emitter counts it
        built, repairs = LENIENT.build("x.y", attributes, identity)
        body = parsed(built.body)

        assert body["dd_pa"].keys() == {"event_id", "occurred_at"}
        assert {key: body[key] for key in STRUCTURE if key in body and key != "dd_pa"} == event(
            "x.y", account="acme", session="s-1"
        )
        assert RESERVED.isdisjoint(key.partition(".")[0] for key in body.keys() - set(STRUCTURE))
        assert (size(body) <= 1000, depth(body) <= MAX_DEPTH, len(built.body) <= MAX_BYTES) == (True, True, True)
        assert not [repair for repair in repairs if MARK in repair or not repair.isprintable()]
