"""What BEFORE_SEND sees of what is known about people, and what becomes of its answer."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from dd_pa import Emitter, EventDraft, EventError
from tests.core.wire import settings, without_ids

VISITOR = "59cf2df2-579e-4935-ab25-357d54822ec2"
KNOWN: dict[str, dict[str, Any]] = {
    "usr": {"plan": "pro", "email": "ada@example.com", "seats": 3},
    "account": {"tier": 1},
}


class Ada:
    """The person of a request."""

    usr, account, session, consent, anonymous_id = "ada", "acme", "s-1", None, VISITOR

    def known(self, whose: str) -> Any:
        return KNOWN[whose]


def sent(before_send: Any, known: Any = None, **given: Any) -> dict[str, Any]:
    """Return the user and account of an event, as they are on the wire."""
    person = Ada()
    if known is not None:
        person.known = known  # type: ignore[method-assign]
    by_settings: dict[str, Any] = {
        "user_attributes": lambda request: None,
        "account_attributes": lambda request: None,
        "anonymous_id": True,
        "strict": True,
    }
    emitter = Emitter(settings(before_send=before_send, **(by_settings | given)), identity=lambda: person)
    event = emitter.integration.build("order.placed")
    assert event is not None
    body = without_ids(event.body)
    return {name: body[name] for name in ("usr", "account") if name in body}


def changed(**changes: Any) -> Callable[[EventDraft], EventDraft]:
    def change(draft: EventDraft) -> EventDraft:
        for name, value in changes.items():
            setattr(draft, name, value)
        return draft

    return change


USR: dict[str, Any] = {"id": "ada", "anonymous_id": VISITOR} | KNOWN["usr"]
ACCOUNT: dict[str, Any] = {"id": "acme"} | KNOWN["account"]


def test_it_sees_what_goes_on_the_wire() -> None:
    """All of it, and what it leaves alone stays as it is."""
    seen: list[Any] = []

    def look(draft: EventDraft) -> EventDraft:
        seen.append((dict(draft.usr_attributes), dict(draft.account_attributes), draft.anonymous_id))
        return draft

    assert sent(look) == {"usr": USR, "account": ACCOUNT}
    assert seen == [(KNOWN["usr"], KNOWN["account"], VISITOR)]


def test_it_takes_away_and_adds() -> None:
    """In place, as with the event's own attributes."""

    def redact(draft: EventDraft) -> EventDraft:
        del draft.usr_attributes["email"]
        draft.usr_attributes["seats"] += 1
        draft.account_attributes["tier"] = {"now": 2}
        draft.anonymous_id = None
        return draft

    assert sent(redact) == {
        "usr": {"id": "ada", "plan": "pro", "seats": 4},
        "account": {"id": "acme", "tier": {"now": 2}},
    }


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        pytest.param({"usr": "bob"}, {"usr": {"id": "bob"}, "account": {"id": "acme"}}, id="user"),
        pytest.param({"account": "other"}, {"usr": USR, "account": {"id": "other"}}, id="account"),
        pytest.param({"usr": None}, {"account": {"id": "acme"}}, id="nobody"),
        pytest.param(
            {"usr": "bob", "usr_attributes": {"plan": "free"}},
            {"usr": {"id": "bob", "plan": "free"}, "account": {"id": "acme"}},
            id="user, with what is known of him",
        ),
        pytest.param(
            {"usr_attributes": {}, "anonymous_id": "v-1"},
            {"usr": {"id": "ada", "anonymous_id": "v-1"}, "account": ACCOUNT},
            id="emptied",
        ),
    ],
)
def test_another_person_gets_nothing_of_this_one(changes: dict[str, Any], left: dict[str, Any]) -> None:
    """What is known goes with the id that it was known of."""
    assert sent(changed(**changes)) == left


def test_another_draft_says_all() -> None:
    """What it does not say is gone."""
    assert sent(lambda draft: EventDraft(name=draft.name, usr=draft.usr)) == {"usr": {"id": "ada"}}
    assert sent(lambda draft: EventDraft(name=draft.name, usr="bob", usr_attributes={"plan": 1})) == {
        "usr": {"id": "bob", "plan": 1}
    }


def test_it_may_say_what_no_setting_says() -> None:
    """The settings only say what is looked up for it."""
    off = {"user_attributes": None, "account_attributes": None, "anonymous_id": False}

    assert sent(changed(usr_attributes={"plan": "pro"}), **off)["usr"] == {"id": "ada", "plan": "pro"}


def test_no_digit_is_lost() -> None:
    """Of numbers that it leaves alone, and of those beside one that it changes."""
    known = {"sum": Decimal("12345678901234567.890"), "share": 0.1, "n": 2**62, "low": Decimal("1.10")}

    for change in (lambda draft: draft, changed(name="other")):
        usr = sent(change, known=lambda whose: known if whose == "usr" else None)["usr"]
        assert {name: str(usr[name]) for name in known} == {name: str(value) for name, value in known.items()}


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({"usr_attributes": "pro"}, id="no mapping"),
        pytest.param({"usr_attributes": {"id": "bob"}}, id="reserved"),
        pytest.param({"usr_attributes": {"x": object()}}, id="type"),
        pytest.param({"usr_attributes": {"x": "x" * 9_000}}, id="size"),
        pytest.param({"account_attributes": {1: 1, "1": 2}}, id="keys"),
        pytest.param({"anonymous_id": "x" * 300}, id="id"),
        pytest.param({"anonymous_id": 1.5}, id="type of id"),
    ],
)
def test_what_cannot_be_sent(bad: dict[str, Any]) -> None:
    """Is left out, and raised in strict mode."""
    name = next(iter(bad))
    whole: dict[str, Any] = {"usr": USR, "account": ACCOUNT}
    left = {
        "usr_attributes": whole | {"usr": {"id": "ada", "anonymous_id": VISITOR}},
        "account_attributes": whole | {"account": {"id": "acme", "1": 1}},
        "anonymous_id": whole | {"usr": {"id": "ada"} | KNOWN["usr"]},
    }
    with pytest.raises(EventError):
        sent(changed(**bad))

    assert sent(changed(**bad), strict=False) == left[name]
