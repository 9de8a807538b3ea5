"""Typed events as bytes: encoded straight where their types allow it, checked, and rid of personal data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from dd_pa.capture.attributes import AttributeCleaner
from dd_pa.capture.fast_path import GoodNames, plain
from dd_pa.capture.foreign_values import record
from dd_pa.errors import EventError
from dd_pa.plan import personal_data
from dd_pa.plan.event_class import Event
from dd_pa.plan.event_schema import SMALL
from dd_pa.plan.marked_records import MarkedRecords
from dd_pa.plan.misplaced_data import without_misplaced
from dd_pa.settings.settings import Settings


class Written(NamedTuple):
    """The attributes of a typed event."""

    name: str
    """`event.name`."""

    attributes: bytes
    """The JSON object."""

    repairs: Sequence[str] = ()
    """What was left out or replaced, as it cannot be sent."""

    off_plan: tuple[str, str] | None = None
    """Where the event differs from its class, and how: `order.total`, "Expected `float`, got `str`"."""


class EventWriter:
    """Writes the typed events of one application. Safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self._strict = settings.strict
        self._treat = _treatment(settings)
        self._encode = msgspec.json.Encoder(decimal_format="number").encode
        self._names = GoodNames()

    def write(self, event: Event) -> Written:
        """Return the attributes. Raises `EventError` for what cannot be sent: in strict mode, or if nothing can be."""
        schema = type(event).__schema__
        if schema.name is None:
            raise EventError("", f"{schema.label} has no name of an event: class {schema.label}(Event, name='…')")
        written = None
        try:
            if schema.is_plain:
                attributes = self._encode(event)
                if len(attributes) <= SMALL:
                    schema.check(attributes)
                    written = Written(schema.name, attributes)
        except (TypeError, ValueError, RecursionError):  # whatever is wrong, the walk finds it again and says it
            written = None
        written = written or self._walked(event, schema.name)
        return written if self._treat is None else self._treated(written, event, self._treat)

    def _treated(self, written: Written, event: Event, treat: personal_data.Treat) -> Written:
        """Return what is left of an event when the personal data in it is treated, wherever that may be."""
        schema, attributes = type(event).__schema__, written.attributes
        if written.off_plan is not None or schema.is_open:
            attributes = self._rid_of_marked(event, schema.personal, treat)
        if schema.personal:
            if written.off_plan is not None:
                attributes = without_misplaced(attributes, schema.fields)
            attributes = personal_data.treated(attributes, schema.personal, treat)
        return written._replace(attributes=attributes)

    def _rid_of_marked(self, event: Event, planned: Sequence[personal_data.Path], treat: personal_data.Treat) -> bytes:
        """Return the attributes, in which what classes mark is treated that the plan does not expect."""
        read = MarkedRecords(planned, treat)
        return self._encode(AttributeCleaner(strict=False, read=read).clean(record(event)))

    def _walked(self, event: Event, name: str) -> Written:
        fields = record(event)
        repairs: Sequence[str] = ()
        try:
            attributes = self._encode(plain(fields, self._names))
        except Exception:  # as in `EventBuilder`
            cleaner = AttributeCleaner(strict=self._strict)
            attributes, repairs = self._encode(cleaner.clean(fields)), cleaner.repairs
        return Written(name, attributes, repairs, self._difference(event, attributes))

    def _difference(self, event: Event, attributes: bytes) -> tuple[str, str] | None:
        try:
            type(event).__schema__.check(attributes)
        except msgspec.ValidationError as error:
            return _told(str(error))
        return None


def _told(error: str) -> tuple[str, str]:
    """Return the path of what msgspec says, and the problem: without the value, which it quotes if it is no choice."""
    problem, found, path = error.rpartition(" - at `$")
    problem, path = (problem, path.strip(".`")) if found else (error, "attributes")
    for quoting in ("Invalid enum value", "Invalid value"):
        if problem.startswith(quoting):
            problem = quoting
    return path, problem


def _treatment(settings: Settings) -> personal_data.Treat | None:
    if settings.personal_data == "send":
        return None
    key = settings.reveal_personal_data_key()
    return personal_data.without if settings.personal_data == "omit" else personal_data.hashed(key)
