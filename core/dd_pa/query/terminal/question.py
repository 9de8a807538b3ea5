from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeAlias

from dd_pa.query.cohorts import RetentionBuilder, retention
from dd_pa.query.funnels import FunnelBuilder, funnel
from dd_pa.query.measures import Events, Listing, Measure, Series, events, search
from dd_pa.query.paths import SankeyBuilder, sankey
from dd_pa.query.schema.retention import CalendarUnit
from dd_pa.query.terminal.arguments import BELONGS, KINDS

_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_PATTERN = re.compile(r"[A-Za-z0-9_.*?-]*[A-Za-z0-9_][A-Za-z0-9_.*?-]*")
_LENGTH = re.compile(r"([0-9]{1,6})(s|min|m|h|d|w)")
_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_ENTITIES = {"user": "@usr.id", "account": "@account.id", "session": "@session.id"}
_WORDS = {"distinct": "cardinality"}
_PERIODS: tuple[CalendarUnit, ...] = ("week", "day", "month")
_EVENTS = 100

Asked: TypeAlias = Measure | Series | FunnelBuilder | RetentionBuilder | SankeyBuilder | Listing


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was typed, option by option. Its methods raise ValueError that names the option."""

    query: str = ""
    by: tuple[str, ...] = ()
    limit: int | None = None
    compute: str = "count"
    last: str = "7d"
    interval: str | None = None
    funnel: str | None = None
    within: str | None = None
    entity: str | None = None
    retention: str | None = None
    period: str | None = None
    paths: str | None = None
    listed: str | None = None
    json: bool = False
    csv: bool = False

    def asked(self) -> Asked:
        """Return the query to run."""
        self._check()
        if self.funnel is not None:
            return self._funnel(self.funnel)
        if self.retention is not None:
            return self._retention(self.retention)
        if self.paths is not None:
            return self._paths(self.paths)
        if not self.query.strip():
            raise ValueError("QUERY or --funnel is needed: an event's name, a search, or * for everything")
        if self.listed is not None:
            return self._list(self.listed)
        measure = self._measure(found(self.query)).by(*self.by, limit=self.limit).last(**_days(self.window()))
        return measure if self.interval is None else measure.every(length("--interval", self.interval))

    def _check(self) -> None:
        """Refuse options that have no meaning beside each other."""
        kinds = [name for name, option in KINDS.items() if getattr(self, option) is not None]
        if len(kinds) > 1:
            raise ValueError(f"{' and '.join(kinds)} are different questions: ask one")
        if self.json and self.csv:
            raise ValueError("--json and --csv are different answers: ask for one")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"--limit {self.limit}: must be 1 or more")
        kind = kinds[0] if kinds else ""
        for option, those in BELONGS.items():
            if getattr(self, option) not in (None, (), "count") and kind not in those:
                if kind:
                    raise ValueError(f"--{option} does not go with {kind}")
                raise ValueError(f"--{option} goes with {' and '.join(those)}")

    def window(self) -> timedelta:
        """Return how far to look back."""
        return length("--last", self.last)

    def _measure(self, what: Events) -> Measure:
        aggregation, _, facet = self.compute.partition(":")
        if (aggregation == "count") == bool(facet):
            raise ValueError(f"--compute {self.compute}: must be count, or such as sum:@order.total")
        return what.aggregate(_WORDS.get(aggregation, aggregation), facet or None)

    def _funnel(self, steps: str) -> FunnelBuilder:
        names = [step.strip() for step in steps.split(",")]
        if len(names) < 2 or not all(names):
            raise ValueError("--funnel needs two or more steps, separated by commas: cart.viewed,order.placed")
        made = funnel(*map(found, names)).last(**_days(self.window()))
        for facet in self.by:
            made = made.by(facet, limit=self.limit)
        if self.query.strip():
            made = made.where(found(self.query).query)
        if self.within is not None:
            made = made.within(**_days(length("--within", self.within)))
        return made if self.entity is None else made.joined_by(_entity(self.entity))

    def _retention(self, steps: str) -> RetentionBuilder:
        names = [step.strip() for step in steps.split(",")]
        if len(names) > 2 or not all(names):
            raise ValueError("--retention needs one event or two, separated by a comma: user.signed_up,order.placed")
        if self.entity == "session":
            raise ValueError("--retention follows a user or an account: a session does not come back")
        made = retention(*map(found, names)).every(_period(self.period)).last(**_days(self.window()))
        made = made.by_account() if self.entity == "account" else made
        return made.where(found(self.query).query) if self.query.strip() else made

    def _paths(self, facet: str) -> SankeyBuilder:
        made = sankey(facet).size(entries=self.limit).last(**_days(self.window()))
        return made.where(found(self.query).query) if self.query.strip() else made

    def _list(self, facets: str) -> Listing:
        columns = [facet.strip() for facet in facets.split(",") if facet.strip()]
        if not columns:
            raise ValueError("--list needs facets, separated by commas: @usr.id,@plan")
        what = replace(found(self.query), window=None)
        listing = what.list("timestamp", *columns, limit=self.limit or _EVENTS)
        return listing.last(**_days(self.window()))


def found(text: str) -> Events:
    """Return what a text finds: it is an event's name, such a name with wildcards, or a search."""
    text = text.strip()
    if _NAME.fullmatch(text):
        return events(text)
    return events().where(f"@event.name:{text}") if _PATTERN.fullmatch(text) else search(text)


def length(option: str, text: str) -> timedelta:
    """Return a length of time: `30min`, `12h`, `7d`, `4w`."""
    matched = _LENGTH.fullmatch(text.strip())
    if matched is None or int(matched[1]) == 0:
        raise ValueError(f"{option} {text}: must be a number and s, min, h, d or w, such as 12h or 7d")
    return timedelta(**{_UNITS[matched[2]]: int(matched[1])})


def _days(period: timedelta) -> dict[str, Any]:
    return {"days": period / timedelta(days=1)}


def _period(name: str | None) -> CalendarUnit:
    for unit in _PERIODS:
        if name in (unit, None):
            return unit
    raise ValueError(f"--period {name}: must be {', '.join(_PERIODS)}")


def _entity(name: str) -> str:
    if name not in _ENTITIES:
        raise ValueError(f"--entity {name}: must be {', '.join(_ENTITIES)}")
    return _ENTITIES[name]
