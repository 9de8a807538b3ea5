"""Without consent there is no event: nothing is looked up, nothing is written."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dd_pa import Emitter, EventError, Identity, Settings, SettingsError, identify, request_consent
from dd_pa.emulator import Emulator
from dd_pa.observe import signals
from tests.core.test_identity import Source, ids
from tests.core.wire import settings

Make = Callable[..., Emitter]


def agrees(request: Any) -> bool:
    """A CONSENT that knows no request: the emitters here are asked through their identity source."""
    return True


@pytest.mark.parametrize("strict", [False, True])
def test_a_block_without_consent_drops_everything(make: Make, emulator: Emulator, strict: bool) -> None:
    """No setting is needed; ids given to `track()` change nothing; no event and no `BEFORE_SEND`; counted, no error."""
    seen: list[Any] = []
    heard: list[Any] = []
    emitter = make(strict=strict, before_send=seen.append)

    def hear(sender: object, **what: Any) -> None:
        heard.append((what["event"], what["name"], what["reason"]))

    with signals.event_dropped.connected_to(hear, sender=emitter), identify(usr="u-1", consent=False):
        assert emitter.track("order.placed", usr="u-2", account="a", session="s") is None

    assert emitter.flush(60)
    assert (emitter.stats().dropped, emitter.stats().queued, emulator.events, seen) == ({"consent": 1}, 0, [], [])
    assert heard == [(None, "order.placed", "consent")]


def test_an_ordinary_no_is_not_worth_a_log_line(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """Half of the visitors may say no."""
    with identify(usr="u-1", consent=False):
        make().track("order.placed")

    assert not caplog.records


def test_the_nearest_block_decides(make: Make) -> None:
    """Inner blocks inherit what they leave open, and win where they do not."""
    emitter = make(identity=lambda: Identity(session="s", consent=False), consent=agrees)

    assert emitter.integration.consent() is False
    with identify(usr="u-1", consent=True) as outer:
        assert (outer, emitter.integration.consent()) == (Identity(usr="u-1", consent=True), True)
        with identify(account="a"):
            assert ids(emitter) == {"usr": "u-1", "account": "a", "session": "s"}
            with identify(consent=False) as inner:
                assert inner == Identity(usr="u-1", account="a", consent=False)
                assert ids(emitter) == {}
            assert ids(emitter) == {"usr": "u-1", "account": "a", "session": "s"}
    assert emitter.stats().dropped == {"consent": 1}


@pytest.mark.parametrize("value", [0, 1, "yes", "denied"])
def test_consent_is_a_bool(value: Any) -> None:
    """A text such as `denied` would pass for a yes."""
    with pytest.raises(EventError, match=r"^consent: must be True, False or None, not "), identify(consent=value):
        pytest.fail("the block must not begin")


@pytest.mark.parametrize("asks", [{"consent": agrees}, {"respect_gpc": True}], ids=["CONSENT", "RESPECT_GPC"])
def test_consent_is_asked_first_and_no_id_is_read_without_it(make: Make, asks: dict[str, Any]) -> None:
    """Reading an id may query a database; also an event that knows all its ids is asked for."""
    no, yes = Source(usr="u-1", consent=False), Source(usr="u-1", consent=True)

    assert ids(make(identity=lambda: no, **asks)) == {}
    assert ids(make(identity=lambda: no, **asks), usr="u", account="a", session="s") == {}
    assert no.read == ["consent"] * 2
    assert ids(make(identity=lambda: yes, **asks)) == {"usr": "u-1"}
    assert yes.read == ["consent", "usr", "account", "session"]


def test_consent_is_of_the_moment_of_the_call(make: Make) -> None:
    """A login, or the consent form itself, changes the answer in the middle of a request."""
    answer: list[bool | None] = [False]
    emitter = make(identity=lambda: Identity(usr="u-1", consent=answer[0]), consent=agrees)

    assert ids(emitter) == {}
    answer[0] = True
    assert ids(emitter) == {"usr": "u-1"}


def test_work_outside_of_a_request_is_not_asked_for(make: Make) -> None:
    """There is no request to ask about: what a job knows, it says by `identify()`."""
    emitter = make(identity=lambda: None, consent=agrees)

    assert emitter.integration.consent() is None
    assert ids(emitter, usr="u-1") == {"usr": "u-1"}


@pytest.mark.parametrize(
    ("identity", "said"),
    [
        pytest.param(lambda: Source(usr="u-1", consent=LookupError("marked")), "LookupError", id="consent"),
        pytest.param(lambda: int("marked"), "ValueError", id="source"),
    ],
)
def test_a_failure_is_a_no(make: Make, identity: Any, said: str, caplog: pytest.LogCaptureFixture) -> None:
    """It may be there to protect people. Said by its class, and raised in strict mode for its traceback."""
    caplog.set_level(logging.WARNING, "dd_pa")
    emitter = make(identity=identity, consent=agrees)

    assert (ids(emitter, usr="u-2"), emitter.integration.consent()) == ({}, False)
    assert (emitter.stats().dropped, emitter.stats().repaired) == ({"consent": 1}, 0)
    assert [record.getMessage() for record in caplog.records] == [f"CONSENT failed, so events are dropped: {said}"]
    assert "marked" not in caplog.text
    with pytest.raises((LookupError, ValueError)):
        make(identity=identity, consent=agrees, strict=True).integration.build("x.y")
    with pytest.raises((LookupError, ValueError)):
        make(identity=identity, consent=agrees, strict=True).integration.consent()


def test_a_source_that_answers_with_something_else_has_not_agreed(make: Make) -> None:
    """Only True is a yes."""
    assert ids(make(identity=lambda: Source(usr="u-1", consent="denied"), consent=agrees)) == {}


def test_nothing_is_written(make: Make, tmp_path: Path) -> None:
    """No spool is opened for an event that may not be."""
    emitter = make(spool_dir=str(tmp_path / "spool"))

    with identify(consent=False):
        emitter.track("order.placed", usr="u-1")

    assert list(tmp_path.iterdir()) == []
    assert emitter.stats().state == "idle"


@pytest.mark.parametrize(
    ("configured", "gpc", "expected"),
    [
        pytest.param({}, "1", None, id="nothing-configured"),
        pytest.param({"respect_gpc": True}, "1", False, id="gpc"),
        pytest.param({"respect_gpc": True}, " 1 ", False, id="gpc-blanks"),
        pytest.param({"respect_gpc": True}, "0", None, id="gpc-0"),
        pytest.param({"respect_gpc": True}, None, None, id="no-gpc"),
        pytest.param({"consent": lambda request: request == "asked"}, "1", True, id="gpc-not-respected"),
        pytest.param({"consent": lambda request: False}, None, False, id="denied"),
        pytest.param({"consent": lambda request: 1 / 0, "respect_gpc": True}, "1", False, id="gpc-comes-first"),
        pytest.param({"consent": lambda request: True, "respect_gpc": True}, None, True, id="both-agree"),
    ],
)
def test_request_consent(configured: dict[str, Any], gpc: str | None, expected: bool | None) -> None:
    """The browser's signal, where it is respected, then the callable."""
    assert request_consent(settings(**configured), "asked", gpc) is expected


@pytest.mark.parametrize("answer", [None, "denied", 1])
def test_consent_must_answer_with_a_bool(answer: Any) -> None:
    """Anything else is a mistake, which counts as a no."""
    with pytest.raises(TypeError, match="CONSENT must return True or False, not "):
        request_consent(settings(consent=lambda request: answer), None, None)


def test_consent_may_be_a_dotted_path() -> None:
    """Which must lead to a callable."""
    assert settings(consent=f"{__name__}.agrees").consent is agrees
    with pytest.raises(SettingsError, match=r"^CONSENT: cannot import .nowhere\.agrees."):
        settings(consent="nowhere.agrees")


def test_settings_from_the_environment() -> None:
    """Both are settings like all others."""
    environ = {"DD_API_KEY": "k", "DD_PA_APPLICATION_ID": "a", "DD_PA_RESPECT_GPC": "true"}

    assert (Settings.from_env(environ).respect_gpc, Settings.from_env(environ).asks_consent) == (True, True)
    assert settings().asks_consent is False
