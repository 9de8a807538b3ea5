"""What may be declared of a model, whichever ORM it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dd_pa import Identity
from dd_pa.model_events import Change, Declaration, ask

PAID: Change = {"status": {"old": "new", "new": "paid"}}


def test_one_event_for_any_change() -> None:
    """Fields with the same event share it, those with others have their own."""
    declaration = Declaration(updated={"status": "order.moved", "total": "order.moved", "note": "order.noted"})
    total, note = {"old": 1, "new": 2}, {"old": "", "new": "x"}

    assert declaration.events_of({**PAID, "total": total, "note": note}) == {
        "order.moved": {**PAID, "total": total},
        "order.noted": {"note": note},
    }


@pytest.mark.parametrize(
    ("transitions", "new", "event"),
    [
        pytest.param({"paid": "order.paid", "sent": "order.sent"}, "sent", "order.sent", id="value"),
        pytest.param({"paid": "order.paid"}, "new", None, id="another"),
        pytest.param({None: "order.freed"}, None, "order.freed", id="nothing"),
        pytest.param({True: "order.hidden"}, 1, None, id="number-for-bool"),
        pytest.param({"paid": "order.paid"}, ["paid"], None, id="list"),
    ],
)
def test_transition(transitions: dict[Any, str], new: object, event: str | None) -> None:
    """An event for each value that a field can come to."""
    found = Declaration(updated={"status": transitions}).events_of({"status": {"old": "x", "new": new}})

    assert list(found) == ([] if event is None else [event])


def test_transition_of_a_relation() -> None:
    """By what was done to it."""
    declaration = Declaration(updated={"tags": {"added": "article.tagged"}})

    assert list(declaration.events_of({"tags": {"action": "added", "count": 1, "pks": [1]}})) == ["article.tagged"]
    assert not declaration.events_of({"tags": {"action": "removed", "count": 1, "pks": [1]}})


CALLABLES: list[tuple[Callable[..., Any], list[Any]]] = [
    (lambda item: [item], ["order"]),
    (lambda item, name: [item, name], ["order", "a.b"]),
    (lambda item, name, change: [item, name, change], ["order", "a.b", PAID]),
    (lambda *given: list(given), ["order", "a.b", PAID]),
    (lambda item, limit=3: [item, limit], ["order", 3]),
]


@pytest.mark.parametrize(("function", "given"), CALLABLES)
def test_callables_are_given_what_they_ask_for(function: Callable[..., Any], given: list[Any]) -> None:
    """The instance, the event's name and the change with its old value."""
    declaration = Declaration(updated={"status": "a.b"}, identity=function)

    assert declaration.identity is not None
    said: Any = declaration.identity("order", "a.b", PAID)
    assert said == given


def test_answers() -> None:
    """What was declared, with the change that no attribute can hide."""
    declaration = Declaration(created="a.b", attributes=["id"], identity=lambda _: Identity(usr="7"), label="order")
    answers = ask(
        declaration, "a.b", object(), change=PAID, label="gift", columns=lambda names: dict.fromkeys(names, 1)
    )

    assert answers is not None
    assert answers.ids is not None
    assert answers.attributes == {"order": {"id": 1}, "changed": PAID}
    assert answers.ids["usr"] == "7"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "needs the name of an event"),
        ({"created": ""}, "needs the name of an event"),
        ({"updated": {"status": {"paid": 7}}}, "are texts"),
        ({"created": "a.b", "attributes": "id"}, "give a list"),
        ({"created": "a.b", "label": 7}, "label=7 is no name"),
        ({"created": "a.b", "when": lambda a, b, c, d: True}, "when of track_model takes at most the instance"),
    ],
)
def test_wrong_declaration(options: dict[str, Any], text: str) -> None:
    """Fails where it stands."""
    with pytest.raises(TypeError, match=text):
        Declaration(**options)


def test_reserved_label() -> None:
    """Would shadow what is ours."""
    Declaration(created="a.b").check_label("session")
    with pytest.raises(ValueError, match="'session', which is reserved"):
        Declaration(created="a.b", attributes=["id"]).check_label("session")
