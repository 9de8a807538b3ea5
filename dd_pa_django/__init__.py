"""Datadog Product Analytics events from a Django site, linked to its user, account and browser session.

Importing this needs no configured settings, loads no model and starts nothing.
"""

from __future__ import annotations

from dd_pa_django.decorators import tracked
from dd_pa_django.emitter import find_emitter, get_emitter
from dd_pa_django.tracking import atrack, track

__all__ = ["atrack", "find_emitter", "get_emitter", "track", "tracked"]
