"""Random events and random searches, each search with what it means in plain Python."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

START = 1_790_000_000_000
SPAN = 12 * 24 * 3600 * 1000
NAMES = ("page.viewed", "cart.opened", "checkout.started", "checkout.completed")
PLANS = ("free", "pro", "team")
TAGS = ("a", "b", "c")


class PlainEvent(NamedTuple):
    """One event; the later of two at one time is the one with the larger number."""

    ts: int
    number: int
    body: dict[str, Any]

    def values(self, path: str) -> list[Any]:
        """The values of a facet."""
        found: Any = self.body
        for name in path.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        return found if isinstance(found, list) else [] if found is None else [found]

    def first(self, path: str) -> str | None:
        """The first value of a facet, as text."""
        values = self.values(path)
        return text(values[0]) if values else None

    def number_of(self, path: str) -> float | None:
        """The first value of a facet, if it is a number."""
        values = self.values(path)
        is_number = bool(values) and isinstance(values[0], int | float) and not isinstance(values[0], bool)
        return float(values[0]) if is_number else None


Test: TypeAlias = Callable[[PlainEvent], bool]


class Asked(NamedTuple):
    """A search."""

    written: str
    means: Test


def text(value: Any) -> str:
    """How a value is shown."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def events(rng: random.Random, count: int) -> list[PlainEvent]:
    """Events in the order in which they came: of few people, some at the same time, none with all facets."""
    found = []
    for number in range(count):
        ts = START + rng.randrange(SPAN)
        # Half of all times are whole hours, where buckets, days and windows have their edges.
        found.append(PlainEvent(ts - ts % rng.choice((1, 3_600_000)), number, _body(rng)))
    return found


def _body(rng: random.Random) -> dict[str, Any]:
    user = rng.randrange(12)
    # Quarters: sums of them are exact.
    total = rng.choice((rng.randrange(200) / 4, rng.randrange(50)))
    optional: dict[str, tuple[float, Any]] = {
        # Told of a person always alike: of several values, an audience would take the latest.
        "usr": (0.8, {"id": f"u{user}", "tier": PLANS[user % 3], "since": user}),
        "account": (0.6, {"id": f"a{user % 4}"}),
        "session": (0.7, {"id": f"s{user}-{rng.randrange(4)}"}),
        "order": (0.7, {"total": total}),
        "plan": (0.6, rng.choice(PLANS)),
        "tags": (0.5, [rng.choice(TAGS) for _ in range(rng.randrange(4))] or "a"),
        "paid": (0.3, rng.random() < 0.5),
    }
    there = {name: value for name, (share, value) in optional.items() if rng.random() < share}
    return {"type": "server", "event": {"name": rng.choice(NAMES)}, "application": {"id": "app"}, **there}


def search(rng: random.Random, depth: int = 2) -> Asked:
    """A search of any shape."""
    kind = rng.randrange(8 if depth else 5)
    if kind < 5:
        return rng.choice(_LEAVES)(rng)
    parts = [search(rng, depth - 1) for _ in range(2)]
    if kind == 5:
        return Asked(f"-({parts[0].written})", lambda event: not parts[0].means(event))
    if kind == 6:
        return Asked(f"({parts[0].written} OR {parts[1].written})", lambda e: parts[0].means(e) or parts[1].means(e))
    return Asked(
        f"{parts[0].written} {parts[1].written}", lambda event: parts[0].means(event) and parts[1].means(event)
    )


def _everything(rng: random.Random) -> Asked:
    return Asked("*", lambda event: True)


def _name(rng: random.Random) -> Asked:
    name = rng.choice(NAMES)
    return Asked(f"@event.name:{name}", lambda event: event.first("event.name") == name)


def _beginning(rng: random.Random) -> Asked:
    return Asked("@event.name:che*", lambda event: str(event.first("event.name")).startswith("che"))


def _several(rng: random.Random) -> Asked:
    tags = rng.sample(TAGS, 2)
    return Asked(f"@tags:({tags[0]} OR {tags[1]})", lambda event: any(tag in tags for tag in event.values("tags")))


def _presence(rng: random.Random) -> Asked:
    path = rng.choice(("plan", "usr.id", "order.total", "tags", "nowhere"))
    if rng.random() < 0.5:
        return Asked(f"_missing_:@{path}", lambda event: not event.values(path))
    return Asked(f"@{path}:*", lambda event: bool(event.values(path)))


def _flag(rng: random.Random) -> Asked:
    wanted = rng.random() < 0.5
    return Asked(f"@paid:{text(wanted)}", lambda event: event.values("paid") == [wanted])


def _numbers(rng: random.Random) -> Asked:
    low, high = sorted(rng.sample(range(50), 2))

    def within(event: PlainEvent, test: Callable[[float], bool]) -> bool:
        value = event.number_of("order.total")
        return value is not None and test(value)

    return rng.choice(
        (
            Asked(f"@order.total:>{low}", lambda event: within(event, lambda value: value > low)),
            Asked(f"@order.total:<={high}", lambda event: within(event, lambda value: value <= high)),
            Asked(f"@order.total:[{low} TO {high}]", lambda event: within(event, lambda value: low <= value <= high)),
            Asked(f"@order.total:{{{low} TO {high}}}", lambda event: within(event, lambda value: low < value < high)),
            Asked(f"@order.total:{low}", lambda event: within(event, lambda value: value == low)),
        )
    )


_LEAVES = (_everything, _name, _name, _beginning, _several, _presence, _flag, _numbers)
