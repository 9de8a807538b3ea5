"""What an application declares about the events of a model: one vocabulary, whichever ORM writes the rows."""

from __future__ import annotations

from dd_pa.capture.batch import Columns, DueEvent, Part
from dd_pa.model_events.answers import Answers, ask
from dd_pa.model_events.declaration import MAX_PKS, Change, Declaration, DeclaredEvent, ModelOptions
from dd_pa.model_events.listing import event_lines

__all__ = [
    "MAX_PKS",
    "Answers",
    "Change",
    "Columns",
    "Declaration",
    "DeclaredEvent",
    "DueEvent",
    "ModelOptions",
    "Part",
    "ask",
    "event_lines",
]
