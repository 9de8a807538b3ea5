"""The tests a search is made of: of one row, and of the values a facet has in it."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias

from dd_pa.emulator.facets import Facet, Scalar, text_of
from dd_pa.emulator.wildcard import Wildcard

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


def everything(_: object) -> bool:
    """Match."""
    return True


def any_of(tests: Sequence[Test]) -> Test:
    """Match when one of the tests does."""
    return lambda subject: any(test(subject) for test in tests)


def all_of(tests: Sequence[Test]) -> Test:
    """Match when all tests do."""
    return lambda subject: all(test(subject) for test in tests)


def none_of(test: Test) -> Test:
    """Match when the test does not; an absent facet matches too, as in Datadog."""
    return lambda subject: not test(subject)


def on_facet(facet: Facet, test: ValuesTest) -> RowTest:
    """Apply a test of values to the values of one facet."""
    return lambda row: test(facet.values(row.body))


def term(written: str) -> ValuesTest:
    """Match an unquoted value: `*` any, otherwise with wildcards or exactly."""
    if written == "*":
        return bool
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
    return isinstance(value, int | float) and not isinstance(value, bool) and value == number


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
        number = number_of(value) if isinstance(value, str) else value
        if number is not None and not isinstance(number, bool):
            yield number


def _strings(values: Sequence[Scalar]) -> Iterator[str]:
    return (value for value in values if isinstance(value, str))


def number_of(text: str) -> float | None:
    """Read a number, with or without a unit of time."""
    found = _NUMBER.fullmatch(text) if len(text) <= 400 else None
    if found is None:
        return None
    digits, unit = found.groups()
    number = float(digits) if re.search(r"[.eE]", digits) else int(digits)
    return number * _NANOSECONDS[unit] if unit else number


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


def unescaped(text: str) -> str:
    """Take the backslashes away that make special characters ordinary."""
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL) if "\\" in text else text
