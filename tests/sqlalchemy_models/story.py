"""What became of the forum's rows: once as its triggers say it, once as the events do."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from decimal import Decimal
from typing import Any, NamedTuple

UNKNOWN = object()
"""What the session did not know: the old value of what was not loaded, the new one of what was set to SQL."""

TOLD: dict[str, tuple[str, ...]] = {
    "topic": ("title", "views", "total", "data", "pinned", "at", "author_id", "last_post_id"),
    "notice": ("until",),
    "post": ("body", "topic_id"),
}
"""The columns whose changes are events, by the label of the events."""

Row = dict[str, Any]
Key = tuple[str, str, str]
"""A label, a row's key and what is followed of it."""


class Told(NamedTuple):
    """One event, or one change that deserves one."""

    old: Any
    new: Any
    row: Row
    """The columns that events of this label carry, of the row as the flush has left it; of one that goes, as it was."""


Story = dict[Key, list[Told]]


class _Flushed:
    """What one flush did to one row."""

    def __init__(self, was: Row | None) -> None:
        self.was, self.is_made, self.is_gone, self.is_replaced = was, False, False, False


class Log:
    """Reads the log of the triggers."""

    def __init__(self, entries: list[Any]) -> None:
        self.story: Story = defaultdict(list)
        self._rows: dict[tuple[str, str], Row] = {}
        self._flushed: dict[tuple[str, str], _Flushed] = {}
        self._tags: list[tuple[str, str, str]] = []
        number = 0
        for entry in entries:
            if entry.flush != number:
                self._end(number)
                number = entry.flush
            self._note(entry.name, *(json.loads(given) if given else None for given in (entry.was, entry.became)))
        self._end(number)

    def _note(self, label: str, was: Row | None, became: Row | None) -> None:
        if label == "tags":
            sign, ends = ("tags +", became) if became else ("tags -", was or {})
            self._tags.append((ends["topic_id"], sign, ends["tag_id"]))
            return
        if label == "replaced":  # a new object is going to be written over the row of one that is deleted
            keys = [(name, (was or {})["id"]) for name in ("topic", "notice")]
            for key in keys:
                if key in self._rows:
                    self._flushed.setdefault(key, _Flushed(self._rows[key])).is_replaced = True
            return
        key = label, (was or became or {})["id"]
        flushed = self._flushed.setdefault(key, _Flushed(self._rows.get(key)))
        if became is None:
            flushed.is_gone = True
            if flushed.was is not None and "version" in (was or {}):  # it counts the flush's own writing to a row, too
                flushed.was = {**flushed.was, "version": (was or {})["version"]}
            self._rows.pop(key, None)
        else:
            flushed.is_made |= was is None
            self._rows[label, became["id"]] = became

    def _end(self, number: int) -> None:
        """Say what a flush has done in all. What it writes to a row that it has made or removed is part of that."""
        flushed, self._flushed = self._flushed, {}
        tags, self._tags = self._tags, []
        if number < 0:
            return
        for (label, key), done in flushed.items():
            self._tell(label, key, done, flushed.get(("topic", key)))
        for key, sign, tag in tags:
            done = flushed.get(("topic", key), _Flushed(None))
            if not (done.is_made or done.is_gone or done.is_replaced):
                row = self._said("topic", key, self._rows["topic", key], None)
                self.story["topic", key, sign].append(Told(None, tag, row))

    def _tell(self, label: str, key: str, done: _Flushed, topic: _Flushed | None) -> None:
        now, was = self._rows.get((label, key)), done.was
        if now is not None:
            now = self._said(label, key, now, self._rows.get(("topic", key)))
        if was is not None:
            was = self._said(label, key, was, None if topic is None else topic.was)
        if (done.is_gone or done.is_replaced) and was is not None:
            self.story[label, key, "deleted"].append(Told(None, None, was))
        if (done.is_made or done.is_replaced) and now is not None:
            self.story[label, key, "created"].append(Told(None, None, now))
        elif was is not None and now is not None:
            for name in TOLD[label]:
                if was[name] != now[name]:
                    self.story[label, key, name].append(Told(was[name], now[name], now))

    def _said(self, label: str, key: str, row: Row, topic: Row | None) -> Row:
        """Return what events of a row carry; those of a notice say the title of its topic, too."""
        row = {**row, "title": (topic or {})["title"]} if label == "notice" else row
        return {name: normal(name, value) for name, value in row.items()}


def told_by(events: Any) -> Story:
    """Read the events."""
    story: Story = defaultdict(list)
    for event in events:
        label, _, what = event.name.partition(".")
        said = {name: normal(name, value) for name, value in event.attributes[label].items()}
        key = said["id"]
        if what != "changed":
            story[label, key, what].append(Told(None, None, said))
            continue
        for name, entry in event.attributes["changed"].items():
            if name == "tags":
                sign = "tags +" if entry["action"] == "added" else "tags -"
                story[label, key, sign] += [Told(None, str(pk), said) for pk in entry["pks"]]
            else:
                old, new = (normal(name, entry[side]) if side in entry else UNKNOWN for side in ("old", "new"))
                story[label, key, name].append(Told(old, new, said))
    return story


def differences(told: Story, true: Story) -> list[str]:
    """Return where the two differ."""
    return [
        f"{'/'.join(key)}: told {told.get(key, [])}, written {true.get(key, [])}"
        for key in sorted(told.keys() | true.keys())
        if not _agree(told.get(key, []), true.get(key, []), is_set="tags" in key[2])
    ]


def _agree(told: list[Told], true: list[Told], *, is_set: bool) -> bool:
    """Tell whether events say what happened, in this order. One without the old value may say it once too often."""
    if is_set:  # what a flush does to a set of tags has an order of its own
        told, true = sorted(told, key=str), sorted(true, key=str)
    left = list(true)
    for item in told:
        if left and _is_same(item, left[0]):
            left.pop(0)
        elif UNKNOWN not in (item.old, item.new):
            return False
    return not left


def _is_same(told: Told, true: Told) -> bool:
    values = ((told.old, true.old), (told.new, true.new))
    return all(mine in (UNKNOWN, real) for mine, real in values) and told.row == {
        name: true.row[name] for name in told.row
    }


def normal(name: str, value: Any) -> Any:
    """Return a value in one form, whether it comes from an event or from a trigger of any database."""
    if value is None:
        return None
    match name:
        case "total":
            return str(Decimal(str(value)).quantize(Decimal("0.01")))
        case "data":
            return json.dumps(json.loads(value) if isinstance(value, str) else value, sort_keys=True)
        case "pinned":
            return {"true": "1", "false": "0"}.get(str(value).lower(), str(value))
        case "at":
            return dt.datetime.fromisoformat(str(value)).isoformat()
    return str(value)
