"""The mapping of users and accounts: which attributes they have, and the connections that would bring in more.

Connections are kept as they were defined. There are no reference tables here that they could read.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

from dd_pa.emulator.query.people import attribute_names
from dd_pa.emulator.query.request_fields import BadRequest, Fields

ENTITIES = {"users": "usr", "accounts": "account"}
MAX_CONNECTIONS = 100
_NOBODY = "00000000-0000-0000-0000-000000000000"
_FIELD = ("id", "source_name", "type")
_OPTIONAL = ("description", "display_name")


class Mappings:
    """Safe to use from any thread. Gone with the emulator."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections: dict[tuple[str, str], dict[str, Any]] = {}

    def attributes(self, entity: str) -> list[dict[str, Any]]:
        """Return the attributes of users or accounts; those of connections have an @."""
        names = attribute_names(ENTITIES[entity])
        own = [_attribute(name, kind, name, [], custom=False) for name, kind in names]
        fields = [field for connection in self.connections(entity) for field in connection["fields"]]
        return own + [
            _attribute(
                f"@{field['id']}", field["type"], field.get("display_name", field["id"]), field["groups"], custom=True
            )
            for field in fields
        ]

    def connections(self, entity: str) -> list[dict[str, Any]]:
        """Return the connections of users or accounts, oldest first."""
        with self._lock:
            return [connection for (owner, _), connection in self._connections.items() if owner == entity]

    def create(self, entity: str, data: Fields, now_ms: int) -> None:
        """Define a connection. Raises BadRequest for one that is there already."""
        identity, attributes = data.text("id"), data.member("attributes")
        connection = {
            "id": identity,
            "type": attributes.text("type"),
            "join": {"attribute": attributes.text("join_attribute"), "type": attributes.text("join_type")},
            "fields": [_field(field) for field in attributes.members("fields")],
            "metadata": _metadata(attributes),
            "created_at": _iso(now_ms),
            "created_by": _NOBODY,
            "updated_at": _iso(now_ms),
            "updated_by": _NOBODY,
        }
        data.refuse_unread()
        with self._lock:
            if (entity, identity) in self._connections:
                raise data.wrong("id", "is a connection already")
            if len(self._connections) >= MAX_CONNECTIONS:
                raise BadRequest(f"there are {MAX_CONNECTIONS} connections already")
            self._connections[entity, identity] = connection

    def update(self, entity: str, data: Fields, now_ms: int) -> bool:
        """Add, change and take away fields; False for a connection that is not there."""
        identity, attributes = data.text("id"), data.member("attributes")
        added = [_field(field) for field in attributes.members("fields_to_add")]
        changed = {change.text("field_id"): _change(change) for change in attributes.members("fields_to_update")}
        gone = set(attributes.texts("fields_to_delete"))
        data.refuse_unread()
        with self._lock:
            known = self._connections.get((entity, identity))
            if known is None:
                return False
            fields = [field | changed.get(field["id"], {}) for field in known["fields"] if field["id"] not in gone]
            self._connections[entity, identity] = {
                **known,
                "fields": [*fields, *added],
                "updated_at": _iso(now_ms),
            }
            return True

    def delete(self, entity: str, identity: str) -> bool:
        """Forget a connection; False for one that is not there."""
        with self._lock:
            return self._connections.pop((entity, identity), None) is not None


def _metadata(attributes: Fields) -> dict[str, str]:
    metadata = attributes.optional("metadata")
    return {name: metadata.text(name) for name in metadata}


def _attribute(name: str, kind: str, shown: str, groups: list[str], *, custom: bool) -> dict[str, Any]:
    return {"attribute": name, "display_name": shown, "type": kind, "groups": groups, "is_custom": custom}


def _field(fields: Fields) -> dict[str, Any]:
    field: dict[str, Any] = {name: fields.text(name) for name in _FIELD}
    field |= {name: fields.text(name) for name in _OPTIONAL if name in fields}
    return field | {"groups": fields.texts("groups")}


def _change(fields: Fields) -> dict[str, Any]:
    names = {"updated_field_id": "id", "updated_description": "description", "updated_display_name": "display_name"}
    change: dict[str, Any] = {own: fields.text(name) for name, own in names.items() if name in fields}
    return change | ({"groups": fields.texts("updated_groups")} if "updated_groups" in fields else {})


def _iso(now_ms: int) -> str:
    return datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
