"""Values of another kind than the plan has where personal data would be: an e-mail address in place of a customer.

Nothing says which part of them is personal, so they are left out whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from dd_pa.capture.before_send import decoded
from dd_pa.plan.model import Field, Type, walk

_KINDS: Mapping[type, frozenset[str]] = {
    dict: frozenset(["object", "map"]),
    list: frozenset(["list"]),
    str: frozenset(["text"]),
    bool: frozenset(["boolean"]),
}
_NUMBERS = frozenset(["integer", "number"])


def without_misplaced(attributes: bytes, fields: Mapping[str, Field]) -> bytes:
    """Return the encoded attributes of an event that is off the plan, without what may hide personal data."""
    found = decoded(attributes)
    _clear_members(found, fields)
    return msgspec.json.Encoder(decimal_format="number").encode(found)


def _clear_members(values: dict[str, Any], fields: Mapping[str, Field]) -> None:
    for name, field in fields.items():
        if name in values and not field.personal and not _is_cleared(values[name], field.types):
            del values[name]


def _is_cleared(value: Any, types: Sequence[Type]) -> bool:
    """Clear what is inside of a value; return False if the value itself has to go."""
    if value is None or not _holds_marks(types):
        return True
    kinds = _KINDS.get(type(value), _NUMBERS)
    fitting = [each for each in types if each.kind in kinds or each.kind == "any"]
    for each in fitting:
        if each.kind == "object":
            _clear_members(value, each.fields)
        elif each.kind == "map":
            for key in [key for key, item in value.items() if not _is_cleared(item, each.items)]:
                del value[key]
        elif each.kind == "list":
            value[:] = [item for item in value if _is_cleared(item, each.items)]
    return bool(fitting)


def _holds_marks(types: Sequence[Type]) -> bool:
    return any(any(field.personal for _, field in walk(each.fields)) or _holds_marks(each.items) for each in types)
