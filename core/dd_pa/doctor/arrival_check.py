from __future__ import annotations

import dataclasses
import json

from dd_pa.emitter import Emitter
from dd_pa.errors import EventError, ProductAnalyticsError
from dd_pa.settings.settings import Settings

TEST_EVENT = "dd_pa.test_sent"
PATIENCE = 10.0
"""Seconds to wait for the intake to take the event."""


class NotSentError(ProductAnalyticsError):
    """The event did not arrive; the message says why."""


def send_now(settings: Settings, name: str, attributes: str, *, usr: str | None, account: str | None) -> str:
    """Send one event past the spool and return its id. `attributes` is a JSON object.

    Blocks until the intake has answered, at most 10 seconds. Raises `NotSentError`.
    """
    if not settings.enabled:
        raise NotSentError("ENABLED is off")
    direct = dataclasses.replace(settings, strict=True, spool_dir=None, delivery="thread", consent=None)
    try:
        details = json.loads(attributes)
    except ValueError as error:
        raise NotSentError(f"the attributes are no JSON: {error}") from None
    with Emitter(direct) as emitter:
        try:
            event_id = emitter.track(name, details, usr=usr, account=account)
        except EventError as error:
            raise NotSentError(str(error)) from None
        return _arrived(emitter, event_id)


def _arrived(emitter: Emitter, event_id: str | None) -> str:
    if event_id is None:
        raise NotSentError(f"the event was not kept: {', '.join(emitter.stats().dropped)}")
    if not emitter.flush(PATIENCE) or not emitter.stats().delivered:
        raise NotSentError(f"the event did not arrive: {emitter.stats().last_error or 'no answer'}")
    return event_id
