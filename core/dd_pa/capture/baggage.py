"""
The RUM session in the W3C ``baggage`` header, which the SDKs for browsers and mobile apps add to requests they trace.

The header's ``user.id`` and ``account.id`` are not read: whoever sends a request can write there what he likes.
"""

from __future__ import annotations

from urllib.parse import unquote

from dd_pa.capture.rum_cookie import SESSION_ID

_BLANKS = " \t"
_MAX_ENCODED_LENGTH = 3 * 36


def session_id_in_baggage(header: str) -> str | None:
    """
    Return the session id of a baggage header, in lower case, or None when it holds no UUIDv4.

    SDKs append to the application's own baggage without merging: the last ``session.id`` that is not empty is judged,
    and no other. The SDK's placeholder inside an iOS or Android web view is no UUIDv4.
    """
    if "session.id" not in header:
        return None

    for member in reversed(header.split(",")):
        if "session.id" in member:
            key, _, value = member.partition(";")[0].partition("=")
            if key.strip(_BLANKS) == "session.id" and (value := value.strip(_BLANKS)):
                return _session_id(value)
    return None


def _session_id(value: str) -> str | None:
    if len(value) > _MAX_ENCODED_LENGTH:
        return None

    # RUM events carry lower case; iOS hands the same id in upper case to the app, which may send it on.
    session_id = (unquote(value) if "%" in value else value).lower()
    return session_id if SESSION_ID.fullmatch(session_id) else None
