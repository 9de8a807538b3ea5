"""Datadog's search syntax, read into a tree.

`@event.name:checkout.*`, `-@usr.id:*`, `@order.total:[10 TO 99.5]` and so on; AND (or nothing) between terms, OR, NOT
(or -), parentheses. NOT binds stronger than AND, AND stronger than OR. What Datadog leaves open, and this file decides:
- Text without a facet is looked for in every value of the event, in the reason of a refusal and in a body that was no
  JSON: whole words, in any case.
- A name without @ (`service:shop`) is a top-level attribute, or a tag.
- Comparisons with a number look at numbers, and at strings that are numbers; numbers are compared as doubles. A bound
  in quotes, or one that is no number, is compared with the text of any value, by character.
- A comparison or a range without a facet looks for one value anywhere in the event that fits; text in any case.
- `_exists_:@usr.id` is `@usr.id:*`, `_missing_:@usr.id` is `-@usr.id:*`; `*:*` is everything, `*:word` is `word`.
- A duration (`1s`, `300ms`) is a number of nanoseconds, as Datadog's measures of time are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from dd_pa.emulator.search import tree
from dd_pa.emulator.search.number_units import number_of
from dd_pa.emulator.search.tree import Node
from dd_pa.emulator.search.wildcard import Wildcard, unescaped

MAX_BYTES = 16 * 1024
MAX_TERMS = 1_000
MAX_NESTING = 64
MAX_PATH = 64
"""Parts of the path of a facet."""

_GRAMMAR = r"""
start: query?
query: conjunction (_OR conjunction)*
conjunction: _negation (_AND? _negation)*
_negation: negated | (_PLUS _negation) | _clause
negated: (_NOT | _MINUS) _negation
_clause: group | facet | presence | anywhere | any_value
group: "(" query ")"
facet: FIELD _value
presence: PRESENCE (equal | "(" values ")")
anywhere: TERM | PHRASE | _ANY (VALUE | PHRASE)
any_value: _ANY? (compared | within)

_value: equal | compared | within | "(" values ")"
values: values_conjunction (_OR values_conjunction)*
values_conjunction: _values_negation (_AND? _values_negation)*
_values_negation: values_negated | (_PLUS _values_negation) | _values_clause
values_negated: (_NOT | _MINUS) _values_negation
_values_clause: values_equal | compared | within | values_group
values_equal: TERM | PHRASE
values_group: "(" values ")"

equal: VALUE | PHRASE
compared: COMPARE (VALUE | PHRASE)
within: OPEN (BOUND | PHRASE) _TO (BOUND | PHRASE) CLOSE

_AND.3: /(AND|&&)(?=[\s(]|\Z)/
_OR.3: /(OR|\|\|)(?=[\s(]|\Z)/
_NOT.3: /NOT(?=[\s(]|\Z)/
_TO.3: /TO(?=\s|\Z)/
_MINUS: "-"
_PLUS: "+"
COMPARE: />=|<=|>|</
OPEN: /[\[{]/
CLOSE: /[\]}]/
PHRASE: /"(?:[^"\\]|\\.)*"/s
PRESENCE.4: /_(exists|missing)_:/
_ANY.3: /\*:/
FIELD.2: /@?(?:[^\s"()\[\]{}:<>=!^~*?\\@+-]|\\.)(?:[^\s"()\[\]{}:<>=!^~*?\\]|\\.)*:/s
TERM: /(?!(?:AND|OR|NOT|&&|\|\|)(?:[\s()]|\Z))(?:[^\s"()\[\]{}:<>\\=!^~+-]|\\.)(?:[^\s"()\[\]{}:<>\\]|\\.)*/s
BOUND: /(?!TO(?:\s|\Z))(?:[^\s"()\[\]{}\\]|\\.)+/s
VALUE: /(?:[^\s"()\[\]{}:<>\\=!^~]|\\.)(?:[^\s"()\[\]{}:<>\\]|\\.)*/s
%ignore /\s+/
"""


class SearchError(ValueError):
    """The search text is not understood; says why and where."""

    def __init__(self, reason: str, column: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.column = column
        """Offset of the place in the text, from 0."""


@lru_cache(maxsize=256)
def parse_search(text: str) -> Node:
    """Understand a search. Raises SearchError, never anything else."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise SearchError(f"the search is longer than {MAX_BYTES // 1024} KiB", 0)
    try:
        part = _parser().parse(text)
    except UnexpectedInput as error:
        raise _explained(error, text) from None
    assert isinstance(part, _Part)  # noqa: S101 - what `start` returns
    return part.node


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", transformer=_Build(), maybe_placeholders=False)


def _explained(error: UnexpectedInput, text: str) -> SearchError:
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return SearchError("something is missing at the end", len(text))
    column = int(getattr(error, "pos_in_stream", 0))
    found = re.match(r"AND|OR|NOT|TO|.", text[column:], re.DOTALL)
    symbol = found.group() if found else ""
    if symbol == '"' and isinstance(error, UnexpectedCharacters):
        return SearchError("this quote is not closed", column)
    if symbol == "\\":
        return SearchError("a backslash needs a character after it", column)
    return SearchError(f"{symbol} is not expected here; quotes make it ordinary text", column)


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the search with its cost."""

    node: Node
    terms: int = 1
    nesting: int = 0


class _Build(Transformer[Token, _Part]):
    """Builds the tree while parsing, bottom up: its depth is bounded before anything walks it."""

    def start(self, parts: list[_Part]) -> _Part:
        return parts[0] if parts else _Part(tree.Everything())

    def query(self, parts: list[_Part]) -> _Part:
        return parts[0] if len(parts) == 1 else _joined(tree.AnyOf(tuple(part.node for part in parts)), parts)

    def conjunction(self, parts: list[_Part]) -> _Part:
        return parts[0] if len(parts) == 1 else _joined(tree.AllOf(tuple(part.node for part in parts)), parts)

    def negated(self, parts: list[_Part]) -> _Part:
        return _nested(tree.NoneOf(parts[0].node), parts[0])

    def group(self, parts: list[_Part]) -> _Part:
        return _nested(parts[0].node, parts[0])

    values, values_conjunction, values_negated, values_group = query, conjunction, negated, group

    def facet(self, children: tuple[Token, _Part]) -> _Part:
        field, part = children
        return _Part(tree.OnFacet(_path(field[:-1], field), part.node), part.terms, part.nesting)

    def presence(self, children: tuple[Token, _Part]) -> _Part:
        field, part = children
        return _Part(_presence(part.node, field), part.terms, part.nesting)

    def any_value(self, parts: list[_Part]) -> _Part:
        return _Part(tree.Anywhere(parts[0].node))

    def anywhere(self, tokens: list[Token]) -> _Part:
        word = tokens[0]
        if _is_phrase(word):
            return _Part(tree.Phrase(_text(word)))
        return _Part(tree.Everything() if _is_star(word) else tree.Word(str(word)))

    def equal(self, tokens: list[Token]) -> _Part:
        value = tokens[0]
        if _is_phrase(value):
            return _Part(tree.Equal(_text(value)))
        return _Part(tree.Present() if _is_star(value) else tree.Like(str(value)))

    values_equal = equal

    def compared(self, tokens: list[Token]) -> _Part:
        operator, bound = tokens
        return _Part(tree.Compared(str(operator), _bounds(bound)[0]))

    def within(self, tokens: list[Token]) -> _Part:
        opening, low, high, closing = tokens
        if opening + closing not in ("[]", "{}"):
            raise SearchError("a range is [a TO b] with its ends or {a TO b} without", closing.start_pos or 0)
        limits = _bounds(*(token for token in (low, high) if not _is_star(token)))
        first, last = (None if _is_star(token) else limits.pop(0) for token in (low, high))
        return _Part(tree.Within(first, last, opening == "["))


def _is_phrase(token: Token) -> bool:
    return token.type == "PHRASE"


def _is_star(token: Token) -> bool:
    return token.type != "PHRASE" and str(token) == "*"


def _text(token: Token) -> str:
    return unescaped(token[1:-1] if _is_phrase(token) else str(token))


def _bounds(*tokens: Token) -> list[tree.Bound]:
    """Return numbers, or texts where one of them is in quotes or no number."""
    texts = [_text(token) for token in tokens]
    numbers = [number_of(text) for text in texts if not any(map(_is_phrase, tokens))]
    known = [number for number in numbers if number is not None]
    return [*known] if len(known) == len(texts) else [*texts]


def _path(written: str, token: Token) -> str:
    """Return the path that a facet's name means."""
    path = unescaped(written.removeprefix("@"))
    if path.count(".") >= MAX_PATH:
        raise SearchError(f"the path of this facet has more than {MAX_PATH} parts", token.start_pos or 0)
    return path


def _presence(node: Node, field: Token) -> Node:
    """Return what `_exists_:` or `_missing_:` means, given the names after it."""
    match node:
        case tree.AllOf(parts):
            return tree.AllOf(tuple(_presence(part, field) for part in parts))
        case tree.AnyOf(parts):
            return tree.AnyOf(tuple(_presence(part, field) for part in parts))
        case tree.NoneOf(part):
            return tree.NoneOf(_presence(part, field))
        case tree.Like(written) if Wildcard.read(written) is None:
            there = tree.OnFacet(_path(written, field), tree.Present())
        case tree.Equal(text):
            there = tree.OnFacet(_path(text, field), tree.Present())
        case _:
            raise SearchError(f"{field} needs the name of a facet, as {field}@usr.id", field.start_pos or 0)
    return tree.NoneOf(there) if field == "_missing_:" else there


def _joined(node: Node, parts: list[_Part]) -> _Part:
    terms = sum(part.terms for part in parts)
    if terms > MAX_TERMS:
        raise SearchError(f"the search has more than {MAX_TERMS:,} terms", 0)
    return _Part(node, terms, max(part.nesting for part in parts))


def _nested(node: Node, inner: _Part) -> _Part:
    if inner.nesting >= MAX_NESTING:
        raise SearchError(f"the search is nested deeper than {MAX_NESTING} levels", 0)
    return _Part(node, inner.terms, inner.nesting + 1)
