"""Personal data in events: left out, replaced by a keyed hash, or sent, as one setting says for all events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, TypeAlias, TypeVar

import msgspec

from dd_pa.capture.before_send import decoded
from dd_pa.capture.pseudonym import pseudonym

T = TypeVar("T")


class PersonalData:
    """Marks a type as personal data, in `Annotated`."""


Personal: TypeAlias = Annotated[T, PersonalData()]
"""`email: Personal[str]`: personal data, which PERSONAL_DATA leaves out, hashes or sends, and the catalogue lists."""

_GONE: Final = object()

Path = tuple[str, ...]
Treat = Callable[[Any], Any]


def without(value: Any) -> Any:
    """Leave a value out."""
    return _GONE


def hashed(key: str) -> Treat:
    """Return what replaces a value by its pseudonym, and those in a list one by one; None stays None."""

    def treat(value: Any) -> Any:
        if isinstance(value, list):
            return [treat(item) for item in value]
        return None if value is None else pseudonym(key, value)

    return treat


def treated(attributes: bytes, paths: Sequence[Path], treat: Treat) -> bytes:
    """Return encoded attributes in which the values at these paths are treated."""
    found = decoded(attributes)
    for path in paths:
        treat_at(found, path, treat)
    return _ENCODER.encode(found)


def treat_at(value: Any, path: Path, treat: Treat) -> None:
    """Treat, in place, what is at a path in mappings and lists."""
    first, rest = path[0], path[1:]
    if isinstance(value, (list, tuple)) and first == "[]":
        for item in value:
            treat_at(item, rest, treat)
    elif isinstance(value, dict):
        for key in list(value) if first == "*" else [first] if first in value else []:
            if rest:
                treat_at(value[key], rest, treat)
            elif (replaced := treat(value[key])) is _GONE:
                del value[key]
            else:
                value[key] = replaced


_ENCODER = msgspec.json.Encoder(decimal_format="number")
