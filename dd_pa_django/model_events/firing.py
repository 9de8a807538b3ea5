"""One event of one instance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

from django.db.models import Model

from dd_pa import Emitter, Id, bound_identity, identify
from dd_pa.model_events import Change, Declaration, ask
from dd_pa_django.alone import track_alone
from dd_pa_django.emitter import slot
from dd_pa_django.identity import request_identity
from dd_pa_django.model_events.stored import is_expression, kept, read
from dd_pa_django.tracking import track


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
    changed: Change | None = None,
) -> None:
    """Track an event as declared, to leave when the database `using` commits. Raises in strict mode only."""
    label = str(instance._meta.model_name)
    columns = partial(_values, instance, using)
    try:
        answers = ask(declaration, name, instance, change=changed, label=label, columns=columns)
        if answers is None:
            return
        ids = dict(answers.ids)
        is_others = ids["usr"] is not None and _is_somebody_else(emitter, ids["usr"])
    except Exception as error:
        emitter.drop_invalid(name, error)
        return
    consent = ids.pop("consent")
    with nullcontext() if consent is None else identify(consent=bool(consent)):
        if is_others:
            track_alone(emitter, name, answers.attributes, using=using, **ids)
        else:
            track(name, answers.attributes, using=using, **ids)


def _values(instance: Model, using: str, names: Sequence[str]) -> Mapping[str, Any]:
    """Return fields by their names, foreign keys as keys; what only the database knows is asked of it."""
    options = instance._meta
    fields: dict[str, Any] = {name: options.pk if name == "pk" else options.get_field(name) for name in names}
    values = {name: getattr(instance, field.attname) for name, field in fields.items()}
    unknown = [fields[name] for name, value in values.items() if is_expression(value)]
    found = read(type(instance), [instance.pk], unknown, using).get(instance.pk, {}) if unknown else {}
    return {name: found.get(fields[name].attname, kept(value)) for name, value in values.items()}


def _is_somebody_else(emitter: Emitter, usr: Id) -> bool:
    """Tell whether who acts, if that is known, is not this user: then session and account are not his either."""
    bound = bound_identity()
    acting = None if bound is None else bound.usr
    if acting is None:
        source = request_identity(emitter.settings)
        acting = None if source is None else source.usr
    return acting is not None and str(acting) != str(usr)
