"""Events of SQLAlchemy models. Imported where a model has some, as SQLAlchemy is no dependency of ours."""

from __future__ import annotations

from dd_pa.sqlalchemy import ModelEvents
from dd_pa_flask.state import StateFinder

find_state = StateFinder("a row of a tracked model was written")
model_events = ModelEvents(find_state.emitter)
"""Those of all apps: which one an event belongs to is known when a row changes."""
