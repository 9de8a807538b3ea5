"""Server-side Datadog Product Analytics events, linked to user, account and browser session."""

from __future__ import annotations

from dd_pa.capture.attributes import RESERVED as RESERVED_ATTRIBUTES
from dd_pa.capture.before_send import EventDraft
from dd_pa.capture.consent import request_consent
from dd_pa.capture.event import BuiltEvent
from dd_pa.capture.id_text import Id
from dd_pa.capture.identity_block import bound_identity, identify
from dd_pa.capture.person import Identity, IdentitySource
from dd_pa.capture.pseudonym import pseudonymous_session
from dd_pa.capture.rum_session import RumSession, rum_session_from_environ, rum_session_from_scope
from dd_pa.delivery.backoff import RetryPolicy
from dd_pa.delivery.stats import Stats
from dd_pa.emitter import Emitter
from dd_pa.errors import EventError, OffPlanError, PlanError, ProductAnalyticsError, SettingsError
from dd_pa.plan.event_class import Event
from dd_pa.plan.model import Deprecated
from dd_pa.plan.money import Money
from dd_pa.plan.personal_data import Personal
from dd_pa.settings.settings import Settings

__all__ = [
    "RESERVED_ATTRIBUTES",
    "BuiltEvent",
    "Deprecated",
    "Emitter",
    "Event",
    "EventDraft",
    "EventError",
    "Id",
    "Identity",
    "IdentitySource",
    "Money",
    "OffPlanError",
    "Personal",
    "PlanError",
    "ProductAnalyticsError",
    "RetryPolicy",
    "RumSession",
    "Settings",
    "SettingsError",
    "Stats",
    "bound_identity",
    "identify",
    "pseudonymous_session",
    "request_consent",
    "rum_session_from_environ",
    "rum_session_from_scope",
]
