"""The tests a search is made of: of one row, and of the values a facet has in it."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias

from dd_pa.emulator import tree
from dd_pa.emulator.facets import Facet, Scalar, text_of
from dd_pa.emulator.wildcard import Wildcard, unescaped

MAX_TEXT = 25_600
"""Characters of a value that free text and wildcards look at: as many as Datadog indexes."""


class Searchable(Protocol):
    """What a search looks at."""

    @property
    def body(self) -> object:
        """The parsed event."""

    @property
    def raw(self) -> str | None:
        """A body that could not be parsed."""

    @property
    def reason(self) -> str | None:
        """Why it was refused."""


Test: TypeAlias = Callable[[Any], bool]
RowTest: TypeAlias = Callable[[Searchable], bool]
ValuesTest: TypeAlias = Callable[[Sequence[Scalar]], bool]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_NUMBER = re.compile(r"([+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?)(ns|us|µs|ms|s|m|min|h|d|w)?")
_WORD = re.compile(r"\w+")
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "min": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86400 * 10**9,
    "w": 7 * 86400 * 10**9,
}


def row_test(node: tree.Node) -> RowTest:
    """Return the test of rows that a search means."""
    match node:
        case tree.OnFacet(path, asked):
            facet, test = Facet(path), values_test(asked)
            return lambda row: test(facet.values(row.body))
        case tree.Word(written):
            return anywhere_term(written)
        case tree.Phrase(text):
            return anywhere_words(text)
    return _combined(node, row_test)


def values_test(node: tree.Node) -> ValuesTest:
    """Return the test of a facet's values that a part of a search means."""
    match node:
        case tree.Present():
            return bool
        case tree.Equal(text):
            return equal_to(text)
        case tree.Like(written):
            return term(written)
        case tree.Compared(sign, bound):
            return compared(sign, bound)
        case tree.Within(low, high, inclusive):
            return within(low, high, inclusive=inclusive)
    return _combined(node, values_test)


def _combined(node: tree.Node, of: Callable[[tree.Node], Test]) -> Test:
    match node:
        case tree.AllOf(parts):
            every = [of(part) for part in parts]
            return lambda subject: all(test(subject) for test in every)
        case tree.AnyOf(parts):
            some = [of(part) for part in parts]
            return lambda subject: any(test(subject) for test in some)
        case tree.NoneOf(part):
            inner = of(part)
            return lambda subject: not inner(subject)
    return lambda subject: True


def term(written: str) -> ValuesTest:
    """Match an unquoted value, with wildcards or exactly."""
    wildcard = Wildcard.read(written)
    if wildcard is None:
        return equal_to(unescaped(written))
    return lambda values: any(wildcard.matches(text_of(value)[:MAX_TEXT]) for value in values)


def equal_to(text: str) -> ValuesTest:
    """Match a value with this string form, or the same number."""
    number = number_of(text)
    if number is not None:
        return lambda values: text in values or any(_same_number(value, number) for value in values)
    if text in ("true", "false"):
        flag = text == "true"
        return lambda values: any(value is flag or value == text for value in values)
    return lambda values: text in values


def _same_number(value: Scalar, number: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and _double(value) == number


def compared(sign: str, bound: str) -> ValuesTest:
    """Match a value on one side of the bound."""
    holds = _COMPARE[sign]
    number = number_of(bound)
    if number is None:
        return lambda values: any(isinstance(value, str) and holds(value, bound) for value in values)
    return lambda values: any(holds(value, number) for value in _numbers(values))


def within(low: str | None, high: str | None, *, inclusive: bool) -> ValuesTest:
    """Match a value between the bounds; None is no bound."""
    equal = "=" if inclusive else ""
    bounds = [(sign + equal, bound) for sign, bound in ((">", low), ("<", high)) if bound is not None]
    if not bounds:
        return bool
    numbers = [number_of(bound) for _, bound in bounds]
    limits: list[tuple[Callable[[Any, Any], bool], float | str]] = [
        (_COMPARE[sign], bound if number is None or None in numbers else number)
        for (sign, bound), number in zip(bounds, numbers, strict=True)
    ]
    candidates = _strings if None in numbers else _numbers
    return lambda values: any(all(holds(value, limit) for holds, limit in limits) for value in candidates(values))


def _numbers(values: Sequence[Scalar]) -> Iterator[float]:
    for value in values:
        if isinstance(value, str):
            number = number_of(value)
        else:
            number = None if value is None or isinstance(value, bool) else _double(value)
        if number is not None:
            yield number


def _strings(values: Sequence[Scalar]) -> Iterator[str]:
    return (value for value in values if isinstance(value, str))


def number_of(text: str) -> float | None:
    """Read a number, with or without a unit of time."""
    found = _NUMBER.fullmatch(text) if len(text) <= 400 else None
    if found is None:
        return None
    digits, unit = found.groups()
    return float(digits) * _NANOSECONDS[unit] if unit else float(digits)


def _double(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def anywhere_term(written: str) -> RowTest:
    """Match an unquoted word anywhere in the row."""
    wildcard = Wildcard.read(written.lower())
    if wildcard is None:
        return anywhere_words(unescaped(written))
    return _anywhere(lambda text: any(wildcard.matches(word) for word in _words(text)))


def _words(text: str) -> Iterator[str]:
    """Yield what stands between blanks, and the words inside it."""
    for chunk in text.split():
        yield chunk
        yield from _WORD.findall(chunk)


def anywhere_words(text: str) -> RowTest:
    """Match words that follow each other anywhere in the row, in any case."""
    words = text.lower()
    start = r"(?<!\w)" if re.match(r"\w", words) else ""
    end = r"(?!\w)" if re.search(r"\w\Z", words) else ""
    whole = re.compile(start + re.escape(words) + end).search
    # The plain search is many times faster than the pattern, and mostly enough.
    return _anywhere(lambda text: words in text and whole(text) is not None)


def _anywhere(test: Callable[[str], bool]) -> RowTest:
    """Apply a test of lower-case text to every value of a row."""

    def test_row(row: Searchable) -> bool:
        stack: list[object] = [row.reason, row.raw, row.body]
        while stack:
            value = stack.pop()
            if isinstance(value, str):
                if test(value[:MAX_TEXT].lower()):
                    return True
            elif isinstance(value, dict):
                stack.extend(value.values())
            elif isinstance(value, list):
                stack.extend(value)
            elif value is not None and test(text_of(value)):  # type: ignore[arg-type]  # a number or a boolean
                return True
        return False

    return test_row
