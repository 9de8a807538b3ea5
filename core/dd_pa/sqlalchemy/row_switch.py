"""What SQLAlchemy calls a row switch: a new object takes the row of one that the same flush deletes, by an UPDATE.

It tells of no insert and no deletion then. The row has both events all the same, and none of an update: the new
object's are asked for by `after_update`, and the former one's before that.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Mapper, Session, object_session

from dd_pa.sqlalchemy.pending_events import pending_in


def note_row_switch(mapper: Mapper[Any], instance: Any) -> Any | None:
    """Return the object whose row a new one is about to take, if there is one, and remember the new one."""
    session = object_session(instance)
    former = None if session is None else session.identity_map.get(mapper.identity_key_from_instance(instance))
    if session is None or former is None or former is instance or former not in session.deleted:
        return None
    pending_in(session).switched.add(id(instance))
    return former


def is_switched(session: Session, instance: Any) -> bool:
    """Tell whether an object takes another one's row in the flush that runs now."""
    return id(instance) in pending_in(session).switched
