from __future__ import annotations

import itertools
from typing import Any

import pytest

from dd_pa.emulator.rum.view import View

COMPLETE: dict[str, Any] = {
    "type": "view",
    "date": 1,
    "view": {"id": "v", "url": "/a", "time_spent": 10, "custom_timings": {"a": 1}, "action": {"count": 1}},
    "usr": {"id": "u", "name": "Ada"},
    "context": {"plan": "pro", "old": 1},
    "_dd": {"document_version": 1, "page_states": [{"state": "active", "start": 0}]},
    "gone": 1,
}


def partial(version: int, **members: Any) -> dict[str, Any]:
    """A partial update as SDK v7 sends it: what changed, and what is always there."""
    internal = {"document_version": version, **members.pop("_dd", {})}
    return {"type": "view_update", "date": 1, "_dd": internal, **members}


def after(*versions: dict[str, Any]) -> dict[str, Any]:
    """The view after these."""
    view = View()
    for version in versions:
        view.take(version)
    return view.body


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_highest_version_wins(order: tuple[int, ...]) -> None:
    """Complete versions replace each other, in whatever order they come."""
    versions = [{**COMPLETE, "n": n, "_dd": {"document_version": n}} for n in range(1, 4)]

    assert after(*(versions[index] for index in order)) == versions[2]


def test_partial_update() -> None:
    """An update changes what it names: objects key by key, some as a whole; null takes away, page states are added."""
    update = partial(
        2,
        view={"id": "v", "url": "/a", "time_spent": 20, "custom_timings": {"b": 2}, "action": {"errors": 1}},
        usr={"id": "u"},
        context={"plan": "free"},
        _dd={"page_states": [{"state": "hidden", "start": 5}]},
        gone=None,
    )

    assert after(COMPLETE, update) == {
        "type": "view",
        "date": 1,
        "view": {
            "id": "v",
            "url": "/a",
            "time_spent": 20,
            "custom_timings": {"b": 2},
            "action": {"count": 1, "errors": 1},
        },
        "usr": {"id": "u"},
        "context": {"plan": "free"},
        "_dd": {
            "document_version": 2,
            "page_states": [{"state": "active", "start": 0}, {"state": "hidden", "start": 5}],
        },
    }


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_order_of_arrival_does_not_matter(order: tuple[int, ...]) -> None:
    """Retried and delayed batches give the same view in the end."""
    versions = [
        COMPLETE,
        partial(2, view={"time_spent": 20}),
        partial(3, view={"time_spent": 30}, gone=None),
        partial(5, view={"is_active": False}),
    ]

    assert after(*(versions[index] for index in order)) == after(*versions)


def test_complete_one_ends_the_partial_ones() -> None:
    """A complete version holds all that came before it; a later partial one builds on it."""
    complete = {"type": "view", "view": {"time_spent": 99}, "_dd": {"document_version": 4}}
    late = partial(3, view={"time_spent": 30})

    assert after(COMPLETE, partial(2, x=1), complete, late) == complete
    assert after(COMPLETE, complete, late, partial(5, x=1)) == {
        **complete,
        "date": 1,
        "x": 1,
        "_dd": {"document_version": 5},
    }


def test_what_is_known_is_not_taken() -> None:
    """A version that came before is told from news."""
    view = View()
    taken = [view.take(version) for version in (COMPLETE, COMPLETE, partial(2), partial(2), {**COMPLETE, "n": 1})]

    assert taken == [True, False, True, False, False]
