"""Calendar intervals in a time zone: where each begins."""

from __future__ import annotations

import re
from calendar import day_name
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from dd_pa.emulator.query.request_fields import Fields

UNITS = ("minute", "hour", "day", "week", "month", "quarter", "year")
MAX_BOUNDS = 1_000
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_SPANS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(7)}
_DAYS = [name.lower() for name in day_name]
_HOUR = re.compile(r"([0-9]{1,2})(am|pm)?")
_ORDINAL = re.compile(r"([0-9]{1,2})(?:st|nd|rd|th)")
_EPOCH = datetime(1970, 1, 1)
_NEVER = 253_402_300_800_000
"""The year 10000: when an interval begins that no calendar reaches."""


@dataclass(frozen=True, slots=True)
class CalendarInterval:
    """So many units, beginning at a place within the unit."""

    unit: str
    quantity: int
    hour: int
    """Of a day."""
    weekday: int
    """Of a week, 0 is Monday."""
    day: int
    """Of a month, from 1."""
    zone: tzinfo

    @staticmethod
    def read(fields: Fields) -> CalendarInterval:
        """Read the `value` of a calendar interval."""
        unit = fields.choice("type", UNITS)
        alignment = fields.text("alignment", "").lower()
        hour, weekday, day = 0, 0, 1
        if alignment and unit == "day":
            hour = _hour(fields, alignment)
        elif alignment and unit == "week":
            weekday = _DAYS.index(fields.choice("alignment", [*_DAYS, *(name.title() for name in _DAYS)]).lower())
        elif alignment and unit == "month":
            day = _ordinal(fields, alignment)
        return CalendarInterval(unit, fields.integer("quantity", 1, 1_000, 1), hour, weekday, day, _zone(fields))

    def bounds(self, start_ms: int, end_ms: int) -> list[int]:
        """Return when intervals begin (epoch ms), from the last up to `start_ms` to the first after `end_ms`.

        At most MAX_BOUNDS.
        """
        number = self._number(datetime.fromtimestamp(start_ms / 1000, UTC).astimezone(self.zone).replace(tzinfo=None))
        while self._begin(number) > start_ms:
            number -= 1
        found = [self._begin(number)]
        while found[-1] <= end_ms and len(found) < MAX_BOUNDS:
            number += 1
            found.append(self._begin(number))
        return found

    def _number(self, wall: datetime) -> int:
        """Return how many intervals after the epoch a wall-clock time is; one too many at most."""
        if self.unit in _MONTHS:
            months = (wall.year - 1970) * 12 + wall.month - 1
            return months // (_MONTHS[self.unit] * self.quantity)
        return (wall - self._origin()) // (_SPANS[self.unit] * self.quantity)

    def _origin(self) -> datetime:
        # The epoch was a Thursday.
        return _EPOCH + timedelta(hours=self.hour, days=(self.weekday - 3) if self.unit == "week" else 0)

    def _begin(self, number: int) -> int:
        try:
            return round(self._wall(number).replace(tzinfo=self.zone).timestamp() * 1000)
        except (ValueError, OverflowError):
            return _NEVER

    def _wall(self, number: int) -> datetime:
        if self.unit in _MONTHS:
            months = number * _MONTHS[self.unit] * self.quantity
            return datetime(1970 + months // 12, months % 12 + 1, self.day)
        return self._origin() + number * _SPANS[self.unit] * self.quantity


def _hour(fields: Fields, alignment: str) -> int:
    found = _HOUR.fullmatch(alignment)
    hour = int(found[1]) if found else 24
    if found and found[2]:
        hour = hour % 12 + (12 if found[2] == "pm" else 0) if 1 <= hour <= 12 else 24
    if hour > 23:
        raise fields.wrong("alignment", "must be an hour, as 1am or 14")
    return hour


def _ordinal(fields: Fields, alignment: str) -> int:
    found = _ORDINAL.fullmatch(alignment)
    if found is None or not 1 <= int(found[1]) <= 28:
        raise fields.wrong("alignment", "must be a day from 1st to 28th")
    return int(found[1])


def _zone(fields: Fields) -> tzinfo:
    name = fields.text("timezone", "UTC")
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise fields.wrong("timezone", "is not known") from None
