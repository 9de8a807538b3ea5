"""Datadog Product Analytics events from a Django site, linked to its user, account and browser session.

Importing this needs no configured settings, loads no model and starts nothing.
"""

from __future__ import annotations

from dd_pa.gateways.view_success import form_accepted
from dd_pa_django.decorators import tracked
from dd_pa_django.emitter import find_emitter, get_emitter
from dd_pa_django.model_events.declaration import track_model
from dd_pa_django.model_events.queryset import TrackedQuerySet
from dd_pa_django.tracking import atrack, track

__all__ = [
    "TrackedQuerySet",
    "atrack",
    "find_emitter",
    "form_accepted",
    "get_emitter",
    "track",
    "track_model",
    "tracked",
]
