"""Which track a browser's request is meant for: Datadog's own path, or `ddforward` of the SDK's `proxy` option."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qs

from starlette.types import Scope

from dd_pa.emulator.http.answers import Refusal

PROXY = "/rum"
"""Where the SDK's `proxy` option points."""

_TRACKS = ("rum", "replay", "logs", "profile", "exposures", "flagevaluation", "debugger")
_FORWARD = re.compile(rf"/api/v2/({'|'.join(_TRACKS)})(?:\?([\x21-\x7e]*))?")
_PATHS = {PROXY, *(f"/api/v2/{track}" for track in _TRACKS)}
_MAX_QUERY = 8_192


class Target(NamedTuple):
    """A track, and what the SDK says about itself in the query."""

    track: str
    parameters: dict[str, str]


def is_open(scope: Scope) -> bool:
    """Say whether any web page may send this request: only those of the browser SDK, which read nothing back."""
    return scope["path"] in _PATHS and scope["method"] in ("POST", "OPTIONS")


def target_of(scope: Scope) -> Target:
    """Return the track. Raises Refusal (400) for whatever is none of the SDK's own; nothing is ever forwarded."""
    query = scope["query_string"][: _MAX_QUERY + 1].decode("latin-1")
    if len(query) > _MAX_QUERY:
        raise Refusal(400, f"the query is longer than {_MAX_QUERY:,} characters")
    if scope["path"] != PROXY:
        return Target(scope["path"].rpartition("/")[2], _single(query))
    forwards = _fields(query).get("ddforward", [])
    if len(forwards) != 1:
        raise Refusal(400, "exactly one ddforward is expected, as the browser SDK's proxy option sends it")
    found = _FORWARD.fullmatch(forwards[0])
    if found is None:
        raise Refusal(400, f"ddforward must be /api/v2/ and one of {', '.join(_TRACKS)}, not {forwards[0][:100]!r}")
    return Target(found[1], _single(found[2] or ""))


def _single(query: str) -> dict[str, str]:
    return {name: values[-1] for name, values in _fields(query).items()}


def _fields(query: str) -> dict[str, list[str]]:
    try:
        return parse_qs(query, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise Refusal(400, "the query has more than 100 fields") from None
