"""Datadog's search syntax, read into a test of one row.

`@event.name:checkout.*`, `-@usr.id:*`, `@order.total:[10 TO 99.5]` and so on; AND (or nothing) between terms, OR, NOT
(or -), parentheses. NOT binds stronger than AND, AND stronger than OR. What Datadog leaves open, and this file decides:
- Text without a facet is looked for in every value of the event, in the reason of a refusal and in a body that was no
  JSON: whole words, in any case.
- A name without @ (`service:shop`) is a top-level attribute.
- Comparisons with a number look at numbers, and at strings that are numbers; others compare strings by character.
- A duration (`1s`, `300ms`) is a number of nanoseconds, as Datadog's measures of time are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from dd_pa.emulator import predicates
from dd_pa.emulator.facets import Facet
from dd_pa.emulator.predicates import RowTest, Test

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
_clause: group | facet | anywhere
group: "(" query ")"
facet: FIELD _value
anywhere: TERM | PHRASE

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
within: OPEN (VALUE | PHRASE) _TO (VALUE | PHRASE) CLOSE

_AND.3: /(AND|&&)(?=[\s(]|\Z)/
_OR.3: /(OR|\|\|)(?=[\s(]|\Z)/
_NOT.3: /NOT(?=[\s(]|\Z)/
_TO.3: /TO(?=\s|\Z)/
_MINUS: /-(?=\S)/
_PLUS: /\+(?=\S)/
COMPARE: />=|<=|>|</
OPEN: /[\[{]/
CLOSE: /[\]}]/
PHRASE: /"(?:[^"\\]|\\.)*"/s
FIELD.2: /@?(?:[^\s"()\[\]{}:<>=!^~*?\\@+-]|\\.)(?:[^\s"()\[\]{}:<>=!^~*?\\]|\\.)*:/s
TERM: /(?!(?:AND|OR|NOT|&&|\|\|)(?:[\s()]|\Z))(?:[^\s"()\[\]{}:<>\\=!^~+-]|\\.)(?:[^\s"()\[\]{}:<>\\]|\\.)*/s
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search that was understood."""

    text: str
    """As it was typed, without blanks around."""
    test: RowTest | None
    """Says whether a row matches, None when every row does. Safe to use from any thread."""


@lru_cache(maxsize=64)
def compile_search(text: str) -> Search:
    """Understand a search. Raises SearchError, never anything else."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise SearchError(f"the search is longer than {MAX_BYTES // 1024} KiB", 0)
    try:
        node = _parser().parse(text)
    except UnexpectedInput as error:
        raise _explained(error, text) from None
    assert isinstance(node, _Node)  # noqa: S101 - what `start` returns
    return Search(text=text.strip(), test=None if node.test is predicates.everything else node.test)


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
class _Node:
    """A part of the search with its cost."""

    test: Test
    terms: int = 1
    nesting: int = 0


class _Build(Transformer[Token, _Node]):
    """Builds the test while parsing, bottom up: no tree and no recursion, however deep the text is nested."""

    def start(self, nodes: list[_Node]) -> _Node:
        return nodes[0] if nodes else _Node(predicates.everything)

    def query(self, nodes: list[_Node]) -> _Node:
        return nodes[0] if len(nodes) == 1 else _joined(predicates.any_of([node.test for node in nodes]), nodes)

    def conjunction(self, nodes: list[_Node]) -> _Node:
        return nodes[0] if len(nodes) == 1 else _joined(predicates.all_of([node.test for node in nodes]), nodes)

    def negated(self, nodes: list[_Node]) -> _Node:
        return _nested(predicates.none_of(nodes[0].test), nodes[0])

    def group(self, nodes: list[_Node]) -> _Node:
        return _nested(nodes[0].test, nodes[0])

    values, values_conjunction, values_negated, values_group = query, conjunction, negated, group

    def facet(self, children: tuple[Token, _Node]) -> _Node:
        field, node = children
        path = predicates.unescaped(field[:-1].removeprefix("@"))
        if path.count(".") >= MAX_PATH:
            raise SearchError(f"the path of this facet has more than {MAX_PATH} parts", field.start_pos or 0)
        return _Node(predicates.on_facet(Facet(path), node.test), node.terms, node.nesting)

    def anywhere(self, tokens: list[Token]) -> _Node:
        word = tokens[0]
        if _is_phrase(word):
            return _Node(predicates.anywhere_words(_text(word)))
        return _Node(predicates.everything if _is_star(word) else predicates.anywhere_term(word))

    def equal(self, tokens: list[Token]) -> _Node:
        value = tokens[0]
        return _Node(predicates.equal_to(_text(value)) if _is_phrase(value) else predicates.term(value))

    values_equal = equal

    def compared(self, tokens: list[Token]) -> _Node:
        operator, bound = tokens
        return _Node(predicates.compared(operator, _text(bound)))

    def within(self, tokens: list[Token]) -> _Node:
        opening, low, high, closing = tokens
        if opening + closing not in ("[]", "{}"):
            raise SearchError("a range is [a TO b] with its ends or {a TO b} without", closing.start_pos or 0)
        return _Node(predicates.within(_limit(low), _limit(high), inclusive=opening == "["))


def _is_phrase(token: Token) -> bool:
    return token.type == "PHRASE"


def _is_star(token: Token) -> bool:
    return token.type != "PHRASE" and str(token) == "*"


def _text(token: Token) -> str:
    return predicates.unescaped(token[1:-1] if _is_phrase(token) else token)


def _limit(token: Token) -> str | None:
    return None if _is_star(token) else _text(token)


def _joined(test: Test, nodes: list[_Node]) -> _Node:
    terms = sum(node.terms for node in nodes)
    if terms > MAX_TERMS:
        raise SearchError(f"the search has more than {MAX_TERMS:,} terms", 0)
    return _Node(test, terms, max(node.nesting for node in nodes))


def _nested(test: Test, inner: _Node) -> _Node:
    if inner.nesting >= MAX_NESTING:
        raise SearchError(f"the search is nested deeper than {MAX_NESTING} levels", 0)
    return _Node(test, inner.terms, inner.nesting + 1)
