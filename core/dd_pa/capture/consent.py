"""Whether the person behind a request agreed: the browser's own signal first, then what the application knows."""

from __future__ import annotations

from typing import Any

from dd_pa.settings.settings import Settings


def request_consent(settings: Settings, request: Any, gpc: str | None) -> bool | None:
    """Return what RESPECT_GPC and CONSENT say of a request whose `Sec-GPC` header is `gpc`; None if none does.

    Raises what CONSENT raises, and `TypeError` if it returns no bool: a text such as `"denied"` would pass for a yes.
    """
    if settings.respect_gpc and gpc is not None and "1" in (value.strip() for value in gpc.split(",")):
        return False
    if not callable(settings.consent):
        return None
    answer = settings.consent(request)
    if not isinstance(answer, bool):
        raise TypeError(f"CONSENT must return True or False, not {type(answer).__name__}")
    return answer
