from __future__ import annotations

import json
from typing import Any

import pytest

from dd_pa import Identity, Settings
from dd_pa.capture.event import EventBuilder
from dd_pa.delivery.event_age import without_session


def body(identity: Identity, attributes: dict[str, Any] | None = None) -> bytes:
    """Return the body of an event as the builder makes it."""
    builder = EventBuilder(Settings(application_id="shop", api_key="k"))
    return builder.build("order.placed", attributes, identity)[0].body


@pytest.mark.parametrize(
    "identity",
    [
        pytest.param(Identity(usr="u", session="s"), id="usr"),
        pytest.param(Identity(account="a", session="s"), id="account"),
        pytest.param(Identity(usr="ü\"'", account="a", session="s"), id="both"),
    ],
)
def test_a_late_event_claims_no_session(identity: Identity) -> None:
    """`session.id` moves to `dd_pa.session_id`; everything else stays as it is."""
    before = json.loads(body(identity, {"total": 1.5, "deep": {"list": [1, {"session": "kept"}]}}))
    expected = {key: value for key, value in before.items() if key != "session"}
    expected["dd_pa"] |= {"session_id": "s"}

    late = without_session(json.dumps(before).encode())

    assert late is not None
    assert json.loads(late) == expected


def test_an_event_without_a_session_is_left_as_it_is() -> None:
    """Byte for byte."""
    event = body(Identity(usr="u"))

    assert without_session(event) is event


def test_an_event_that_only_a_session_links_cannot_be_late() -> None:
    """Nobody would be left to link it to."""
    assert without_session(body(Identity(session="s"))) is None


def test_numbers_are_not_rounded_on_the_way() -> None:
    """What is not moved is not decoded either."""
    event = body(Identity(usr="u", session="s")).replace(b"}}", b'},"total":0.10000000000000000555111512312578270}', 1)

    assert b"0.10000000000000000555111512312578270" in (without_session(event) or b"")
