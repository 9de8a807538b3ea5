"""One event of one instance."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from django.db.models import Model

from dd_pa import Emitter, Id, Identity, bound_identity, identify
from dd_pa_django.alone import track_alone
from dd_pa_django.emitter import slot
from dd_pa_django.identity import request_identity
from dd_pa_django.model_events.stored import is_expression, kept, read
from dd_pa_django.tracking import track

if TYPE_CHECKING:
    from dd_pa_django.model_events.declaration import Declaration

_IDS = ("usr", "account", "session", "consent")


def active_emitter() -> Emitter | None:
    """Return the emitter, or None if no event is wanted or the settings are wrong."""
    emitter = slot.find()
    return emitter if emitter is not None and emitter.settings.enabled else None


def fire(
    emitter: Emitter,
    declaration: Declaration,
    name: str,
    instance: Model,
    *,
    using: str,
    changed: Mapping[str, Any] | None = None,
) -> None:
    """Track an event as declared, to leave when the database `using` commits. Raises in strict mode only."""
    try:
        if declaration.when is not None and not declaration.when(instance):
            return
        details = _details(declaration, instance, using)
        if changed is not None:
            details = {**details, "changed": changed}
        ids = _ids(declaration, instance)
        is_others = ids["usr"] is not None and _is_somebody_else(emitter, ids["usr"])
    except Exception as error:
        emitter.drop_invalid(name, error)
        return
    consent = ids.pop("consent")
    with nullcontext() if consent is None else identify(consent=bool(consent)):
        if is_others:
            track_alone(emitter, name, details, using=using, **ids)
        else:
            track(name, details, using=using, **ids)


def _details(declaration: Declaration, instance: Model, using: str) -> Mapping[str, Any]:
    attributes = declaration.attributes
    if callable(attributes):
        return attributes(instance) or {}
    if attributes is None or isinstance(attributes, Mapping):
        return attributes or {}
    return {str(instance._meta.model_name): _values(instance, attributes, using)}


def _values(instance: Model, names: Any, using: str) -> dict[str, Any]:
    """Return fields by their names, foreign keys as keys; what only the database knows is asked of it."""
    options = instance._meta
    fields: dict[str, Any] = {name: options.pk if name == "pk" else options.get_field(name) for name in names}
    values = {name: getattr(instance, field.attname) for name, field in fields.items()}
    unknown = [fields[name] for name, value in values.items() if is_expression(value)]
    found = read(type(instance), [instance.pk], unknown, using).get(instance.pk, {}) if unknown else {}
    return {name: found.get(fields[name].attname, kept(value)) for name, value in values.items()}


def _ids(declaration: Declaration, instance: Model) -> dict[str, Any]:
    given: Any = None if declaration.identity is None else declaration.identity(instance)
    if isinstance(given, Identity):
        return {key: getattr(given, key) for key in _IDS}
    if given is None:
        return dict.fromkeys(_IDS)
    if not isinstance(given, Mapping) or not given.keys() <= set(_IDS):
        raise TypeError("identity must return a mapping with usr, account, session or consent")
    return {key: given.get(key) for key in _IDS}


def _is_somebody_else(emitter: Emitter, usr: Id) -> bool:
    """Tell whether who acts, if that is known, is not this user: then session and account are not his either."""
    bound = bound_identity()
    acting = None if bound is None else bound.usr
    if acting is None:
        source = request_identity(emitter.settings)
        acting = None if source is None else source.usr
    return acting is not None and str(acting) != str(usr)
