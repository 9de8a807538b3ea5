"""One event of one instance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

from dd_pa.capture.event import Event
from dd_pa.capture.identity import identify
from dd_pa.emitter import Emitter
from dd_pa.model_events import Answers, Change, Declaration, ask


def answers_of(
    emitter: Emitter, declaration: Declaration, name: str, instance: Any, label: str, change: Change | None
) -> Answers | None:
    """Ask the callables. Returns None if there is to be no event. If one fails, raises in strict mode, else counts."""
    try:
        return ask(declaration, name, instance, change=change, label=label, columns=partial(_values, instance))
    except Exception as error:
        emitter.drop_invalid(name, error)
        return None


def build(emitter: Emitter, name: str, answers: Answers) -> Event | None:
    """Return the event with the identity of this moment, or None if it is dropped. Raises in strict mode."""
    ids = dict(answers.ids)
    consent = ids.pop("consent")
    with nullcontext() if consent is None else identify(consent=bool(consent)):
        return emitter.build(name, answers.attributes, owner=True, **ids)


def _values(instance: Any, names: Sequence[str]) -> Mapping[str, Any]:
    return {name: getattr(instance, name) for name in names}
