"""Which events are wanted: the switch of ENABLED, and SAMPLE_RATES."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dd_pa import Emitter, Settings, SettingsError
from dd_pa.doctor import examine
from tests.core.wire import parsed, settings


def kept(emitter: Emitter, name: str, people: int = 1_000, who: str = "usr") -> set[int]:
    """Return whose events of a name are kept."""
    persons: list[dict[str, Any]] = [{who: f"u-{number}"} for number in range(people)]
    return {number for number, person in enumerate(persons) if emitter.integration.build(name, **person) is not None}


def test_a_switch_is_asked_at_each_event() -> None:
    """So that a flag turns events off and on without a restart."""
    flag = [True]
    emitter = Emitter(settings(enabled=lambda: flag[0]))
    built = []
    for flag[0] in (True, False, True):
        built.append(emitter.integration.build("order.placed", usr="u-1") is not None)

    assert (built, emitter.stats().dropped) == ([True, False, True], {})


@pytest.mark.parametrize("answer", [0, None, "true", 1 / 3])
def test_only_true_lets_an_event_pass(answer: Any) -> None:
    """Text that means no would pass for a yes."""
    assert Emitter(settings(enabled=lambda: answer)).integration.build("order.placed", usr="u-1") is None
    with pytest.raises(TypeError, match="ENABLED must return True or False"):
        Emitter(settings(enabled=lambda: answer, strict=True)).integration.build("order.placed", usr="u-1")


def test_a_switch_that_fails_is_a_no(caplog: pytest.LogCaptureFixture) -> None:
    """It is said once a minute, by the class of the error; strict mode raises."""

    def fail() -> bool:
        raise LookupError("no flag")

    emitter = Emitter(settings(enabled=fail))
    assert [emitter.track("order.placed", usr="u-1") for _ in range(2)] == [None, None]
    assert [record.getMessage() for record in caplog.records] == ["ENABLED failed, so events are dropped: LookupError"]
    with pytest.raises(LookupError):
        Emitter(settings(enabled=fail, strict=True)).track("order.placed", usr="u-1")


@pytest.mark.parametrize("text", ["true", "1", "false", "0"])
def test_texts_of_the_environment(text: str) -> None:
    """What is no dotted path is true or false, as ever."""
    made = Settings.from_env({"DD_PA_ENABLED": text, "DD_PA_APPLICATION_ID": "a", "DD_API_KEY": "k"})

    assert made.enabled is (text in ("true", "1"))


def always() -> bool:
    return True


def test_a_dotted_path_is_a_switch() -> None:
    """In settings and in the environment."""
    made = Settings.from_env({"DD_PA_ENABLED": f"{__name__}.always", "DD_PA_APPLICATION_ID": "a", "DD_API_KEY": "k"})

    assert made.enabled is always


def test_doctor_asks_the_switch() -> None:
    """It says what an event would be told now."""

    def states(**changes: Any) -> Iterator[str]:
        found = examine(settings(intake_url="http://127.0.0.1:9", timeout=0.2, **changes))
        return (finding.state for finding in found if finding.subject == "ENABLED")

    assert list(states(enabled=always)) == ["ok"]
    assert list(states(enabled=lambda: False)) == ["warning"]
    assert list(states(enabled=lambda: 1 / 0)) == ["failure"]


def test_a_share_of_the_people_is_kept() -> None:
    """As many percent as were asked for, and of the others nothing; what is left out is counted."""
    emitter = Emitter(settings(sample_rates={"search.typed": 10, "never": 0, "all": 100}))

    assert 60 < len(kept(emitter, "search.typed")) < 140
    assert (len(kept(emitter, "never")), len(kept(emitter, "all")), len(kept(emitter, "other"))) == (0, 1_000, 1_000)
    assert emitter.stats().dropped["sampled"] > 1_800


@pytest.mark.parametrize("who", ["usr", "account", "session"])
def test_people_are_kept_as_a_whole(who: str) -> None:
    """The same in each process, and who is kept at 10 is kept at 50: so a funnel of sampled names stays one."""
    one = Emitter(settings(sample_rates={"a": 10, "b": 50}))
    other = Emitter(settings(sample_rates={"c": 10}))

    assert kept(one, "a", who=who) == kept(other, "c", who=who)
    assert kept(one, "a", who=who) < kept(one, "b", who=who)


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        pytest.param("page.viewed", 50, id="a start"),
        pytest.param("page.shop.viewed", 20, id="the longest start"),
        pytest.param("page.shop", 5, id="the name itself"),
        pytest.param("pager", None, id="no such start"),
    ],
)
def test_what_is_kept_says_its_rate(name: str, rate: float | None) -> None:
    """By which counts are to be divided."""
    emitter = Emitter(settings(sample_rates={"page.*": 50, "page.shop.*": 20, "page.shop": 5}))
    built = [event for n in range(200) if (event := emitter.integration.build(name, {"a": 1}, usr=n)) is not None]

    assert {parsed(event.body)["dd_pa"].get("sample_rate") for event in built} == {rate}


@pytest.mark.parametrize("rates", [[], {"a": 101}, {"a": -1}, {"a": True}, {"a": "10"}, {"*.a": 1}, {"": 1}, {1: 1}])
def test_rates_that_make_no_sense(rates: Any) -> None:
    """They are refused with what would be right."""
    with pytest.raises(SettingsError, match=r"^SAMPLE_RATES: .*percent from 0 to 100$"):
        settings(sample_rates=rates)


def test_rates_of_the_environment_are_json() -> None:
    """As no variable holds a mapping."""
    variables = {"DD_PA_SAMPLE_RATES": '{"a": 10}', "DD_PA_APPLICATION_ID": "a", "DD_API_KEY": "k"}

    assert Settings.from_env(variables).sample_rates == {"a": 10.0}
