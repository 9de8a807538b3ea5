"""What an endpoint is given."""

from __future__ import annotations

from dataclasses import dataclass

from dd_pa.emulator.query.audience_filter import Audience
from dd_pa.emulator.query.fields import Fields
from dd_pa.emulator.query.statement import Statement


@dataclass(frozen=True, slots=True)
class Request:
    """One query."""

    attributes: Fields
    """`data.attributes` of the body."""
    statement: Statement
    """The table of events, for this request."""
    audience: Audience
    """The segments that filters may name."""
    now_ms: int
    """When it came."""
