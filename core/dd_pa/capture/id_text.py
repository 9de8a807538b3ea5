"""What may be the id of a user, account or session, and as which text it is sent."""

from __future__ import annotations

import uuid

from dd_pa.errors import EventError

ID_LIMIT = 256
"""Longest id, in characters. Datadog names no limit; longer ones are a mistake, and would travel in job headers."""

Id = str | int | uuid.UUID

NO_IDS = frozenset({"None", "null", "undefined", "NaN", "AnonymousUser"})
"""Texts that are made of no id: `str(user.pk)` of a visitor, a template's or a script's nothing. All visitors would be
one person."""


def is_same(usr: object, other: object) -> bool:
    """Tell whether two ids are the same one on the wire. What is no id is nobody's."""
    if type(usr) is str and type(other) is str:
        return usr == other
    try:
        return as_id("usr", usr) == as_id("usr", other)
    except EventError:
        return False


def as_id(path: str, value: object) -> str:
    """Return an id as the text that goes on the wire; raise `EventError` naming `path` if it cannot be one."""
    if type(value) is str and 0 < len(value) <= ID_LIMIT and value.isprintable() and value not in NO_IDS:
        return value
    if isinstance(value, uuid.UUID) or (type(value) is int and value.bit_length() <= 64):
        value = str(value)
    if not isinstance(value, str):
        raise EventError(path, f"must be a text, a whole number of 64 bits or a UUID, not {type(value).__name__}")
    text = str.__str__(value)
    if not text or len(text) > ID_LIMIT or not text.isprintable():
        raise EventError(path, f"must have 1 to {ID_LIMIT} printable characters")
    if text in NO_IDS:
        raise EventError(path, f"must be an id, and {text!r} is the text of none: give None where there is nobody")
    return text
