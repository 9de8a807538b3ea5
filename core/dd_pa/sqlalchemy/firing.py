"""One event of one instance."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from dd_pa.capture.event import Event
from dd_pa.capture.identity import identify
from dd_pa.capture.person import Identity
from dd_pa.emitter import Emitter
from dd_pa.sqlalchemy.declaration import Declaration

_IDS = ("usr", "account", "session", "consent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What the callables of a declaration have said."""

    name: str
    attributes: Mapping[str, Any]
    ids: Mapping[str, Any]

    def build(self, emitter: Emitter, changed: Mapping[str, Any] | None = None) -> Event | None:
        """Return the event with the identity of this moment, or None if it is dropped. Raises in strict mode."""
        attributes = self.attributes if changed is None else {**self.attributes, "changed": changed}
        ids = {key: value for key, value in self.ids.items() if key != "consent"}
        consent = self.ids.get("consent")
        with nullcontext() if consent is None else identify(consent=bool(consent)):
            return emitter.build(self.name, attributes, owner=True, **ids)


def prepare(emitter: Emitter, declaration: Declaration, name: str, instance: Any) -> Prepared | None:
    """Ask the callables. Returns None if there is to be no event. If one fails, raises in strict mode, else counts."""
    try:
        if declaration.when is not None and not declaration.when(instance):
            return None
        return Prepared(name=name, attributes=_details(declaration, instance), ids=_ids(declaration, instance))
    except Exception as error:
        emitter.drop_invalid(name, error)
        return None


def _details(declaration: Declaration, instance: Any) -> Mapping[str, Any]:
    attributes = declaration.attributes
    if callable(attributes):
        return attributes(instance) or {}
    if attributes is None or isinstance(attributes, Mapping):
        return attributes or {}
    return {type(instance).__name__.lower(): {name: getattr(instance, name) for name in attributes}}


def _ids(declaration: Declaration, instance: Any) -> Mapping[str, Any]:
    given = None if declaration.identity is None else declaration.identity(instance)
    if given is None:
        return {}
    if isinstance(given, Identity):
        return {key: getattr(given, key) for key in _IDS}
    if not set(given) <= set(_IDS):
        raise TypeError("identity must return a mapping with usr, account, session or consent")
    return given
