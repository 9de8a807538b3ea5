"""One event of one instance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

from django.db.models import Model

from dd_pa import Emitter, identify
from dd_pa.model_events import Change, Declaration, ask
from dd_pa_django.emitter import slot
from dd_pa_django.handover import hand_over
from dd_pa_django.model_events.stored_values import is_expression, kept, read, sent


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
    except Exception as error:
        emitter.drop_invalid(name, error)
        return
    consent = ids.pop("consent")
    with nullcontext() if consent is None else identify(consent=bool(consent)):
        event = emitter.build(name, answers.attributes, owner=True, **ids)
    if event is not None:
        hand_over(emitter, event, using=using)


def _values(instance: Model, using: str, names: Sequence[str]) -> Mapping[str, Any]:
    """Return fields by their names, foreign keys as keys; what only the database knows is asked of it."""
    options = instance._meta
    fields: dict[str, Any] = {name: options.pk if name == "pk" else options.get_field(name) for name in names}
    values = {name: getattr(instance, field.attname) for name, field in fields.items()}
    unknown = [fields[name] for name, value in values.items() if is_expression(value)]
    found = read(type(instance), [instance.pk], unknown, using).get(instance.pk, {}) if unknown else {}
    values = {name: found.get(fields[name].attname, kept(value)) for name, value in values.items()}
    keyless = {options.pk.name, "pk"} if instance.pk is None else set()  # as after a bulk insert on MySQL
    return {name: sent(fields[name], value) for name, value in values.items() if name not in keyless}
