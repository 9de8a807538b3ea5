"""Tells a table that is not there from all else that can fail, by the database's own code for it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from typing import Any

_POSTGRESQL = "42P01"
_MYSQL = 1146
_ORACLE = 942


def is_missing_table(error: BaseException, table: str = "") -> bool:
    """Tell whether an error, of a driver or of a library around it, says that `table` (any if empty) does not exist.

    Not so for another table, as that of a trigger.
    """
    return any(_says_missing(found) and (not table or _names(found, table)) for found in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, and what libraries keep of the driver's: SQLAlchemy as `orig`, Django as the cause."""
    found: Any = error
    for _ in range(5):
        if not isinstance(found, BaseException):
            return
        yield found
        found = getattr(found, "orig", None) or found.__cause__


def _says_missing(error: BaseException) -> bool:
    if isinstance(error, sqlite3.Error):
        return str(error).startswith("no such table: ")
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    first = error.args[0] if error.args else None
    code = getattr(first, "code", first)
    return state == _POSTGRESQL or (state in (None, "42S02") and code in (_MYSQL, _ORACLE))


def _names(error: BaseException, table: str) -> bool:
    """Look at the message alone: PostgreSQL's whole text quotes the statement."""
    message = getattr(getattr(error, "diag", None), "message_primary", None) or str(error)
    return re.search(rf"(?<!\w){re.escape(table)}(?!\w)", message, re.IGNORECASE) is not None
