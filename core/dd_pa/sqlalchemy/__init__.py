"""Events of SQLAlchemy models: declared on the class, built at the flush, sent when the transaction commits.

Needs SQLAlchemy 2 (`pip install 'dd-pa[sqlalchemy]'`), and nothing of a web framework.
"""

from __future__ import annotations

from dd_pa.model_events import ModelOptions
from dd_pa.sqlalchemy.model_events import ModelEvents
from dd_pa.sqlalchemy.pending_events import AnySession, submit_on_commit

__all__ = ["AnySession", "ModelEvents", "ModelOptions", "submit_on_commit"]
