"""Datadog's intake, or the emulator: one POST per event, because the API documents no batches."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from dd_pa.network.outcome import DELIVERED, Outcome, Verdict, judge, may_be_page
from dd_pa.settings.settings import Settings

VERSION = "0.1.0"
"""Of dd-pa, as the distribution has it, which takes a good part of a short process to read."""

PATH = "/api/v2/prodlytics"

MAX_ANSWER = 65_536
"""Bytes of an answer that are read; the rest is of no use to us."""

MAX_DETAIL = 200
"""Characters of the intake's own words that are kept."""

Heard = Callable[[Mapping[str, str]], object]
"""Takes the header fields of an answer."""


def is_page(fields: Mapping[str, str], content: bytes) -> bool:
    """Tell whether an answer is a page; one without content is none."""
    return may_be_page(fields) and content.lstrip()[:1] == b"<"


class IntakeProtocol:
    """What is asked of the intake, and what its answers mean, whoever carries them."""

    def __init__(self, settings: Settings) -> None:
        self.url = urlsplit(f"{settings.intake_url}{PATH}")
        default = ":443" if self.url.scheme == "https" else ":80"
        self.authority = self.url.netloc.removesuffix(default)
        """Host, and port where it is not the scheme's own."""

        self._key = settings.reveal_api_key()
        self.fields = [
            ("DD-API-KEY", self._key),
            ("Content-Type", "application/json"),
            ("Accept", "application/json"),
            ("User-Agent", f"dd-pa/{VERSION}"),
        ]

    def judge(self, status: int, fields: Mapping[str, str], content: bytes) -> Outcome:
        """Return what an answer means; `fields` are looked up in lower case."""
        if 200 <= status < 300:
            return (
                Outcome(verdict=Verdict.PAUSE, reason=f"{status} text/html") if is_page(fields, content) else DELIVERED
            )
        readable = "content-encoding" not in fields  # nothing is inflated
        return judge(status, fields, self._detail(content) if readable else "")

    def _detail(self, content: bytes) -> str:
        """Return the words of an error answer, cut, without the key that a proxy's error page may echo."""
        return _words(content).replace(self._key, "***")[:MAX_DETAIL]


def _words(content: bytes) -> str:
    """Return Datadog's `errors[0].detail`, or the answer as it came."""
    try:
        error = json.loads(content)["errors"][0]
        words = error.get("detail") or error.get("title") or "" if isinstance(error, dict) else error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        words = content.decode("utf-8", "replace")
    return str(words)
