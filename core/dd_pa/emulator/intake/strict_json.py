"""Turn bytes into one JSON value, strictly: what two readers could understand differently is refused with its path."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator

from dd_pa.emulator.http.answers import Refusal


class _AmbiguousError(ValueError):
    """json.loads would take it, other readers would not, or differently."""


def parse(raw: bytes) -> object:
    """Return the one JSON value in `raw`. Raises Refusal (400) naming what is wrong and where; never anything else."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed(f"not UTF-8 at byte {error.start}") from None
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_constant
        )
    except _AmbiguousError:
        raise _ambiguity(text) from None
    except json.JSONDecodeError as error:
        raise _malformed(_syntax(text, error)) from None
    except RecursionError:
        raise _malformed("nested too deeply") from None


def _malformed(detail: str, path: str | None = None) -> Refusal:
    return Refusal(400, f"Malformed payload: {detail}", path=path)


def _syntax(text: str, error: json.JSONDecodeError) -> str:
    if not text.strip():
        return "the body is empty"
    place = f"line {error.lineno} column {error.colno}"
    if error.msg == "Extra data":
        return f"one JSON object is expected, more follows at {place}"
    return f"{error.msg} at {place}"


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # Keys repeat in every event: interning keeps 100,000 of them small.
    members = {sys.intern(key): value for key, value in pairs}
    if len(members) != len(pairs):
        raise _AmbiguousError
    return members


def _integer(digits: str) -> int:
    _number(digits)
    return int(digits)


def _number(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise _AmbiguousError
    return number


def _constant(name: str) -> float:
    raise _AmbiguousError


class _Pairs(list[tuple[str, object]]):
    """An object of the second reading, which keeps double keys."""


class _Flaw(str):
    """A value of the second reading that is no JSON: its text says why."""

    __slots__ = ()


def _ambiguity(text: str) -> Refusal:
    """Read again, slowly, to say where the ambiguity is; hooks themselves know no path."""
    try:
        document = json.loads(
            text, object_pairs_hook=_Pairs, parse_int=_flaw, parse_float=_flaw, parse_constant=_not_json
        )
    except (json.JSONDecodeError, RecursionError):
        return _malformed("ambiguous, and broken further on")
    path, reason = next(_flaws(document))
    return _malformed(f"{path[:200]}: {reason}" if path else reason, path or None)


def _flaw(digits: str) -> str | int:
    return _Flaw(f"the number {digits[:20]}… is out of range") if math.isinf(float(digits)) else 0


def _not_json(name: str) -> str:
    return _Flaw(f"{name} is not JSON")


def _flaws(document: object) -> Iterator[tuple[str, str]]:
    stack: list[tuple[str, object]] = [("", document)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, _Flaw):
            yield path, str(value)
        elif isinstance(value, _Pairs):
            prefix = f"{path}." if path else ""
            yield from ((prefix + key, "the key occurs twice in one object") for key in _doubles(value))
            stack.extend((prefix + key, member) for key, member in reversed(value))
        elif isinstance(value, list):
            stack.extend((path, element) for element in reversed(value))


def _doubles(pairs: _Pairs) -> Iterator[str]:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            yield key
        seen.add(key)
