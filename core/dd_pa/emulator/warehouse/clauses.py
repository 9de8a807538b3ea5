"""A search as a condition of SQL. Whatever the tree holds is bound or looked up in the catalogue."""

from __future__ import annotations

import re
from collections.abc import Callable

from dd_pa.emulator.search import tree
from dd_pa.emulator.search.number_units import number_of
from dd_pa.emulator.search.predicates import SEPARATOR, lowered
from dd_pa.emulator.search.wildcard import unescaped
from dd_pa.emulator.warehouse.catalogue import Catalogue


class Binding:
    """Collects the values of one statement."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}

    def __call__(self, value: object) -> str:
        """Bind a value and return what stands for it."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"${name}"

    def texts(self, values: list[str]) -> str:
        """Bind a list of strings, which may be empty."""
        return f"{self(values)}::VARCHAR[]"


_WORD = r"[\pL\pN_]"
_NO_WORD = r"[^\pL\pN_]"
_BLANK = r"\x09-\x0d\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"


class Conditions:
    """Makes conditions for one statement."""

    def __init__(self, catalogue: Catalogue, bind: Binding) -> None:
        self._catalogue = catalogue
        self._bind = bind

    def of(self, node: tree.Node) -> str:
        """Return the condition on a row of events that a search means; it is true or false, never null."""
        match node:
            case tree.OnFacet(path, asked):
                return self._values(asked, path)
            case tree.Word(written):
                return self._matches(_word_pattern(written.lower()), _longest_literal(written.lower()))
            case tree.Phrase(text):
                return self._matches(_phrase_pattern(text.lower()), text.lower())
            case tree.Anywhere(asked):
                return self._anywhere(lowered(asked))
        return _combined(node, self.of)

    def _matches(self, pattern: str, literal: str) -> str:
        """Return the condition that a pattern matches, which holds nowhere where its literal part does not stand."""
        found = f"regexp_matches(words, {self._bind(pattern)})"
        return f"(contains(words, {self._bind(literal)}) AND {found})" if literal else found

    def _anywhere(self, node: tree.Node) -> str:
        condition = self._leaf(node)
        assert condition is not None  # noqa: S101 - the grammar asks for comparisons and ranges only
        return _any_of(f"string_split(words, {self._bind(SEPARATOR)})", lambda value: condition(f"('s' || {value})"))

    def _values(self, node: tree.Node, path: str) -> str:
        condition = self._leaf(node)
        if condition is None:
            return _combined(node, lambda part: self._values(part, path))
        single, several = self._catalogue.place(path)
        if single is None:
            return _any_of(f"rest[{self._bind(path)}]", condition)
        one = f"coalesce({condition(single)}, false)"
        return one if several is None else f"({one} OR {_any_of(several, condition)})"

    def _leaf(self, node: tree.Node) -> Callable[[str], str] | None:
        """Return the condition on one spelled value; None if the node is made of others."""
        match node:
            case tree.Present():
                return lambda value: f"{value} IS NOT NULL"
            case tree.Equal(text):
                return self._equal(text)
            case tree.Like(written):
                pattern = _pattern(written)
                return self._equal(unescaped(written)) if pattern is None else self._like(pattern)
            case tree.Compared(sign, bound):
                return self._compared([(sign, bound)])
            case tree.Within(low, high, inclusive):
                equal = "=" if inclusive else ""
                bounds = [(sign + equal, bound) for sign, bound in ((">", low), ("<", high)) if bound is not None]
                return self._compared(bounds) if bounds else lambda value: f"{value} IS NOT NULL"
        return None

    def _equal(self, text: str) -> Callable[[str], str]:
        number = number_of(text)
        same = self._bind("s" + text)
        if number is not None:
            double = self._bind(number)
            return lambda value: f"({value} = {same} OR (starts_with({value}, 'n') AND number_of({value}) = {double}))"
        if text in ("true", "false"):
            flag = self._bind("b" + text)
            return lambda value: f"{value} IN ({same}, {flag})"
        return lambda value: f"{value} = {same}"

    def _like(self, pattern: str) -> Callable[[str], str]:
        bound = self._bind(pattern)
        return lambda value: f"regexp_full_match(substr({value}, 2), {bound})"

    def _compared(self, bounds: list[tuple[str, tree.Bound]]) -> Callable[[str], str]:
        limits = [(sign, self._bind(bound)) for sign, bound in bounds]
        if isinstance(bounds[0][1], str):
            return lambda value: _all([f"substr({value}, 2) {sign} {limit}" for sign, limit in limits])
        return lambda value: _all([f"number_of({value}) {sign} {limit}" for sign, limit in limits])


def _all(conditions: list[str]) -> str:
    return f"({' AND '.join(conditions)})"


def _any_of(values: str, condition: Callable[[str], str]) -> str:
    return f"coalesce(len(list_filter({values}, lambda x: {condition('x')})) > 0, false)"


def _combined(node: tree.Node, of: Callable[[tree.Node], str]) -> str:
    match node:
        case tree.AllOf(parts):
            return f"({' AND '.join(of(part) for part in parts)})"
        case tree.AnyOf(parts):
            return f"({' OR '.join(of(part) for part in parts)})"
        case tree.NoneOf(part):
            return f"(NOT {of(part)})"
    return "true"


def _symbols(written: str) -> list[str]:
    return re.findall(r"\\.|.", written, re.DOTALL)


def _pattern(written: str, many: str = ".*", one: str = ".") -> str | None:
    r"""Return a pattern of RE2 (which never backtracks) for `*`, `?` and `\`; None without wildcards."""
    symbols = _symbols(written)
    if not any(symbol in ("*", "?") for symbol in symbols):
        return None
    replaced = {"*": many, "?": one}
    return "(?s)" + "".join(replaced.get(symbol) or _literal(symbol[-1]) for symbol in symbols)


def _literal(text: str) -> str:
    return "".join(symbol if symbol.isascii() and symbol.isalnum() else rf"\x{{{ord(symbol):x}}}" for symbol in text)


def _phrase_pattern(words: str) -> str:
    """Return a pattern that finds words that follow each other, whole ones."""
    start = f"(?:^|{_NO_WORD})" if re.match(r"\w", words) else ""
    end = f"(?:$|{_NO_WORD})" if re.search(r"\w\Z", words) else ""
    return start + _literal(words) + end


def _longest_literal(written: str) -> str:
    runs = [""]
    for symbol in _symbols(written):
        if symbol in ("*", "?"):
            runs.append("")
        else:
            runs[-1] += symbol[-1]
    return max(runs, key=len)


def _word_pattern(written: str) -> str:
    """Return a pattern that finds one word: what stands between blanks, or a word inside that."""
    if not written.strip("*"):
        return f"[^{_BLANK}]"
    chunk = _pattern(written, f"[^{_BLANK}]*", f"[^{_BLANK}]")
    if chunk is None:
        return _phrase_pattern(unescaped(written))
    found = f"(?:^|[{_BLANK}]){chunk}(?:$|[{_BLANK}])"
    literals = [symbol[-1] for symbol in _symbols(written) if symbol not in ("*", "?")]
    if not all(re.match(r"\w", literal) for literal in literals):
        return found
    return f"{found}|(?:^|{_NO_WORD}){_pattern(written, f'{_WORD}*', _WORD)}(?:$|{_NO_WORD})"
