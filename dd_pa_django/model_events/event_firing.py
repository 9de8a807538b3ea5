"""The events of instances: of one, or of all that an operation is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db.models import Model

from dd_pa import BuiltEvent, Emitter, identify
from dd_pa.model_events import Change, ask
from dd_pa_django.emitter import slot
from dd_pa_django.handover import event_batch, hand_over, hand_over_all
from dd_pa_django.model_events.class_declaration import ClassDeclaration
from dd_pa_django.model_events.stored_values import kept

Columns = Callable[[Sequence[str]], Mapping[str, Any]]

Build = Callable[..., BuiltEvent | None]


def active_emitter() -> Emitter | None:
    """Return the emitter, or None if no event is wanted or the settings are wrong."""
    emitter = slot.find()
    return emitter if emitter is not None and emitter.settings.enabled else None


class EventFiring:
    """Tracks events as declared, to leave when the database `using` commits. Raises in strict mode only."""

    def __init__(self, emitter: Emitter, using: str) -> None:
        self._emitter = emitter
        self._using = using

    def __call__(self, declared: ClassDeclaration, name: str, instance: Model, changed: Change | None = None) -> None:
        """Fire one event of an instance."""
        event = self._built(declared, name, instance, declared.columns_of(instance, self._using), changed)
        if event is not None:
            hand_over(self._emitter, event, using=self._using)

    def updates(self, declared: ClassDeclaration, instance: Model, change: Change) -> None:
        """Fire the events that a declaration has for a change."""
        for name, changed in declared.declaration.events_of(change).items():
            self(declared, name, instance, changed)

    def _built(
        self, declared: ClassDeclaration, name: str, instance: Model | None, columns: Columns, changed: Change | None
    ) -> BuiltEvent | None:
        emitter = self._emitter
        try:
            answers = ask(declared.declaration, name, instance, change=changed, label=declared.label, columns=columns)
        except Exception as error:
            emitter.integration.drop_invalid(name, error)
            return None
        if answers is None:
            return None
        if answers.ids is None:
            return self._build(name, answers.attributes, None)
        ids = dict(answers.ids)
        consent = ids.pop("consent")
        if consent is None:
            return self._build(name, answers.attributes, ids)
        with identify(consent=bool(consent)):
            return emitter.integration.build(name, answers.attributes, owner=True, **ids)

    def _build(self, name: str, attributes: Mapping[str, Any], ids: Mapping[str, Any] | None) -> BuiltEvent | None:
        if ids is None:
            return self._emitter.integration.build(name, attributes)
        return self._emitter.integration.build(name, attributes, owner=True, **ids)


class BatchFiring(EventFiring):
    """Tracks the events of one operation on many rows: who acts is found out once, and they are handed over at once."""

    def __init__(self, emitter: Emitter, using: str) -> None:
        super().__init__(emitter, using)
        self._builder = emitter.integration.builder()
        self._events: list[BuiltEvent] = []

    def __call__(self, declared: ClassDeclaration, name: str, instance: Model, changed: Change | None = None) -> None:
        """Build one event of an instance."""
        self._keep(self._built(declared, name, instance, declared.columns_of(instance, self._using), changed))

    def of_values(self, declared: ClassDeclaration, name: str, values: Mapping[str, Any], changed: Change) -> None:
        """Build an event of a row's change, of a declaration that does not ask for the instance.

        Rows may have a change in common, which BEFORE_SEND must not change for all of them.
        """
        own = {field: {side: kept(value) for side, value in entry.items()} for field, entry in changed.items()}
        self._keep(self._built(declared, name, None, declared.columns_in(values), own))

    def _build(self, name: str, attributes: Mapping[str, Any], ids: Mapping[str, Any] | None) -> BuiltEvent | None:
        return self._builder(name, attributes, **(ids or {}))

    def _keep(self, event: BuiltEvent | None) -> None:
        if event is not None:
            self._events.append(event)

    def end(self, *, has_failed: bool) -> None:
        """Hand the events over."""
        hand_over_all(self._emitter, self._events, using=self._using, has_failed=has_failed)


@contextmanager
def firing_together(emitter: Emitter, using: str) -> Iterator[BatchFiring]:
    """Fire the events of one operation, and what its callables track, at the end of this block."""
    fire, has_failed = BatchFiring(emitter, using), True
    with event_batch(using):
        try:
            yield fire
            has_failed = False
        finally:
            fire.end(has_failed=has_failed)
