"""Identity travels with work that a request queues or starts.

Each queue has a module of its own, which imports its library: `celery`, `dramatiq`, `huey`, `rq`.
"""

from __future__ import annotations

from dd_pa.jobs.identity_carrier import HEADER, EmitterOrGetter, IdentityCarrier
from dd_pa.jobs.threads import bind

__all__ = ["HEADER", "EmitterOrGetter", "IdentityCarrier", "bind"]
