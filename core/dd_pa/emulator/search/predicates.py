"""The tests a search is made of: of one row, and of the values a facet has in it."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias

from dd_pa.emulator.search import tree
from dd_pa.emulator.search.facets import Facet, Scalar, flatten, text_of
from dd_pa.emulator.search.number_units import number_of
from dd_pa.emulator.search.wildcard import Wildcard, unescaped

MAX_TEXT = 25_600
"""Characters of a value that free text and wildcards look at: as many as Datadog indexes."""
SEPARATOR = "\x1f"
"""Stands between the values where they are one text; inside one it counts as a blank."""


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
_WORD = re.compile(r"\w+")
_BLANK = re.compile(r"\s")


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
        case tree.Anywhere(asked):
            of_any = values_test(lowered(asked))
            return lambda row: of_any(list(texts(row.body)))
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


def compared(sign: str, bound: tree.Bound) -> ValuesTest:
    """Match a value on one side of the bound."""
    holds = _COMPARE[sign]
    comparable = _comparable(bound)
    return lambda values: any(holds(value, bound) for value in comparable(values))


def within(low: tree.Bound | None, high: tree.Bound | None, *, inclusive: bool) -> ValuesTest:
    """Match a value between the bounds, of one kind; None is no bound."""
    equal = "=" if inclusive else ""
    bounds = [(sign + equal, bound) for sign, bound in ((">", low), ("<", high)) if bound is not None]
    if not bounds:
        return bool
    limits = [(_COMPARE[sign], bound) for sign, bound in bounds]
    comparable = _comparable(bounds[0][1])
    return lambda values: any(all(holds(value, limit) for holds, limit in limits) for value in comparable(values))


def _comparable(bound: tree.Bound) -> Callable[[Sequence[Scalar]], Iterator[float | str]]:
    """Return what turns values into what can be compared with such a bound."""
    return _texts if isinstance(bound, str) else _numbers


def _numbers(values: Sequence[Scalar]) -> Iterator[float]:
    for value in values:
        if isinstance(value, str):
            number = number_of(value)
        else:
            number = None if value is None or isinstance(value, bool) else _double(value)
        if number is not None:
            yield number


def _texts(values: Sequence[Scalar]) -> Iterator[str]:
    return (text_of(value) for value in values)


def lowered(node: tree.Node) -> tree.Node:
    """Return what is asked of values, asked of their lower-case text."""
    match node:
        case tree.Compared(sign, str(bound)):
            return tree.Compared(sign, bound.lower())
        case tree.Within(low, high, inclusive):
            low, high = (bound.lower() if isinstance(bound, str) else bound for bound in (low, high))
            return tree.Within(low, high, inclusive)
    return node


def texts(body: object) -> Iterator[str]:
    """Yield every value as lower-case text, in the length that free text looks at."""
    return (
        text_of(value)[:MAX_TEXT].replace(SEPARATOR, " ").lower() for _, value in flatten(body) if value is not None
    )


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
    blanks = len(_BLANK.findall(unescaped(written)))
    if not blanks:
        return _anywhere(lambda text: any(wildcard.matches(word) for word in _words(text)))
    # No wildcard stands for a blank: what fits has as many as are written.
    return _anywhere(lambda text: any(wildcard.matches(words) for words in _runs(text, blanks)))


def _words(text: str) -> Iterator[str]:
    """Yield what stands between blanks, and the words inside it."""
    for chunk in text.split():
        yield chunk
        yield from _WORD.findall(chunk)


def _runs(text: str, blanks: int) -> Iterator[str]:
    """Yield whatever stands between blanks and holds so many of them itself."""
    ends = [-1, *(found.start() for found in _BLANK.finditer(text)), len(text)]
    for number in range(len(ends) - blanks - 1):
        yield text[ends[number] + 1 : ends[number + blanks + 1]]


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
