"""The events of instances: of one, or of all that an operation is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db.models import Model

from dd_pa import BuiltEvent, Emitter, Event, identify
from dd_pa.model_events import Change, Columns, DueEvent, Part, ask
from dd_pa_django.emitter import slot
from dd_pa_django.handover import event_batch, hand_over, hand_over_all
from dd_pa_django.model_events.class_declaration import ClassDeclaration

ReadColumns = Callable[[Sequence[str]], Mapping[str, Any]]


def active_emitter() -> Emitter | None:
    """Return the emitter, or None if no event is wanted or the settings are wrong."""
    emitter = slot.find()
    return emitter if emitter is not None and emitter.settings.enabled else None


class EventFiring:
    """Tracks events as declared, to leave when the database `using` commits. Raises in strict mode only."""

    def __init__(self, emitter: Emitter, using: str) -> None:
        self._emitter = emitter
        self._using = using

    def __call__(
        self,
        declared: ClassDeclaration,
        name: str,
        instance: Model,
        changed: Change | None = None,
        row: Mapping[str, Any] | None = None,
    ) -> None:
        """Fire one event of an instance; `row` is what is known of its row, if that was looked up already."""
        self._keep(self._built(declared, name, instance, declared.columns_of(instance, self._using, row), changed))

    def _keep(self, event: BuiltEvent | None) -> None:
        if event is not None:
            hand_over(self._emitter, event, using=self._using)

    def updates(
        self, declared: ClassDeclaration, instance: Model, change: Change, row: Mapping[str, Any] | None = None
    ) -> None:
        """Fire the events that a declaration has for a change."""
        for name, changed in declared.declaration.events_of(change).items():
            self(declared, name, instance, changed, row)

    def _built(
        self,
        declared: ClassDeclaration,
        name: str,
        instance: Model | None,
        columns: ReadColumns,
        changed: Change | None,
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
            return self._build(answers.event, answers.attributes, None)
        ids = dict(answers.ids)
        consent = ids.pop("consent")
        if consent is None:
            return self._build(answers.event, answers.attributes, ids)
        with identify(consent=bool(consent)):
            return emitter.integration.build(answers.event, answers.attributes, owner=True, **ids)

    def _build(
        self, name: str | Event, attributes: Mapping[str, Any] | None, ids: Mapping[str, Any] | None
    ) -> BuiltEvent | None:
        if ids is None:
            return self._emitter.integration.build(name, attributes)
        return self._emitter.integration.build(name, attributes, owner=True, **ids)


class BatchFiring(EventFiring):
    """Tracks the events of one operation on many rows: who acts is found out once, and they are handed over at once."""

    def __init__(self, emitter: Emitter, using: str) -> None:
        super().__init__(emitter, using)
        self._batch = emitter.integration.batch()
        self._events: list[BuiltEvent] = []

    def of_all(self, events: Sequence[tuple[ClassDeclaration, str]], instances: Sequence[Model]) -> None:
        """Build these events of each instance."""
        said = [(declared, name, self._said_of(declared, instances)) for declared, name in events]
        _, only, given = said[0]
        if len(said) == 1 and given is not None:  # mostly
            self.of_rows((only, given[0], row, given[1]) for row in range(len(instances)))
            return
        for row, instance in enumerate(instances):
            for declared, name, found in said:
                if found is None:
                    self(declared, name, instance)
                else:
                    self.of_rows([(name, found[0], row, found[1])])

    def _said_of(self, declared: ClassDeclaration, instances: Sequence[Model]) -> tuple[Columns, Part] | None:
        """Return what the events of new rows say; None if each instance is to be asked."""
        columns = None if declared.asks_instances else declared.columns_of_all(instances, self._using)
        return None if columns is None else (self.columns(declared, columns), self._batch.part(dict(declared.constant)))

    def columns(self, declared: ClassDeclaration, columns: Sequence[Sequence[Any]]) -> Columns:
        """Return what the events of rows say of the columns that a declaration sends."""
        return self._batch.columns(declared.label, list(declared.sent), declared.sent_columns(columns))

    def changed(self, declared: ClassDeclaration, change: Change) -> Part:
        """Return what else the events say of rows with the same change."""
        return self._batch.part({**declared.constant, "changed": change})

    def of_rows(self, due: Iterable[DueEvent]) -> None:
        """Build events of rows, of declarations that do not ask for the instance."""
        self._events.extend(self._batch.events(due))

    def _build(
        self, name: str | Event, attributes: Mapping[str, Any] | None, ids: Mapping[str, Any] | None
    ) -> BuiltEvent | None:
        return self._batch.build(name, attributes, **(ids or {}))

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
