"""Events of somebody other than whoever acts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dd_pa import Emitter, Id, identify
from dd_pa_django.identity import serving
from dd_pa_django.tracking import track


def track_alone(
    emitter: Emitter,
    name: str,
    attributes: Mapping[str, Any] | None = None,
    *,
    usr: Id | None = None,
    account: Id | None = None,
    session: Id | None = None,
    using: str | None = None,
) -> str | None:
    """Track an event with these ids and no others: the request's and those of `identify()` belong to somebody else.

    Whether there may be an event is still asked of the request: it is what happens there.
    """
    consent = emitter.consent()
    with serving(None), identify(inherit=False, consent=consent):
        return track(name, attributes, usr=usr, account=account, session=session, using=using)
