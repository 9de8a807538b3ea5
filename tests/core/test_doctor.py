from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from click.testing import CliRunner

from dd_pa import Emitter, Settings
from dd_pa.cli.doctor import command
from dd_pa.doctor import Finding, NotSentError, as_numbers, examine, failed, report, send_now, waiting
from dd_pa.emulator import Emulator
from dd_pa.network import httpx_library
from dd_pa.store import segment
from dd_pa.store.directory import Descriptor, Directory
from dd_pa.store.segment import Names
from tests.waiting import PATIENCE, wait_until

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def emulator() -> Emulator:
    return Emulator(api_keys={KEY})


@pytest.fixture
def url(emulator: Emulator) -> Iterator[str]:
    with emulator.running() as url:
        yield url


def settings(url: str, tmp_path: Path, **changes: Any) -> Settings:
    usual: dict[str, Any] = {"application_id": "shop", "api_key": KEY, "spool_dir": str(tmp_path / "spool")}
    return Settings(intake_url=url, **(usual | changes))


def states(settings: Settings) -> dict[str, str]:
    return {finding.subject: finding.state for finding in examine(settings)}


def test_all_is_well(url: str, emulator: Emulator, tmp_path: Path) -> None:
    """Key, clock and spool are looked at, and no event arrives."""
    found = list(examine(settings(url, tmp_path)))

    assert {finding.subject: finding.state for finding in found} == {
        "settings": "ok",
        "transport": "ok",
        "intake": "ok",
        "clock": "ok",
        "SPOOL_DIR": "ok",
    }
    assert not failed(found)
    assert any(finding.text.startswith("HTTP/2 without TLS, to this machine") for finding in found)
    assert emulator.events == []
    assert KEY not in "".join(map(report, found))


def test_the_general_client_is_named_that_is_used(url: str, tmp_path: Path) -> None:
    found = {finding.subject: finding.text for finding in examine(settings(url, tmp_path, transport="httpx"))}

    assert found["transport"].startswith(f"{httpx_library.httpx.__name__}, as TRANSPORT says so")


def test_events_off_the_plan(url: str, emulator: Emulator, tmp_path: Path) -> None:
    """The emulator knows them, of whichever process they are."""
    fields = {"total": {"types": [{"kind": "number"}]}}
    plan = {"version": 1, "events": [{"name": "order.placed", "fields": fields}, {"name": "order.sent"}]}
    told = httpx.post(f"{url}/api/emulator/plan", json={"key": "k", "service": "shop", "plan": plan})
    with Emitter(settings(url, tmp_path)) as emitter:
        emitter.track("order.placed", {"total": 1}, usr="u-1")
        assert emitter.flush(PATIENCE)
        before = plan_finding(settings(url, tmp_path))
        emitter.track("order.placed", {"total": "1"}, usr="u-1")
        assert emitter.flush(PATIENCE)
        found = plan_finding(settings(url, tmp_path))

    assert (told.status_code, before.state) == (200, "ok")
    assert found.state == "warning"
    assert found.text == "2 events declared, 1 of them never seen here; off_plan 1: order.placed 1"


def plan_finding(settings: Settings) -> Finding:
    """Return what is found of the plan, as soon as the emulator answers in a second: on a busy machine not at once."""
    found: list[Finding] = []

    def is_found() -> bool:
        found[:] = [finding for finding in examine(settings) if finding.subject == "plan"]
        return bool(found)

    wait_until(is_found)
    return found[0]


def test_a_wrong_key(url: str, tmp_path: Path) -> None:
    """It is said in the intake's own words, without the key."""
    found = list(examine(settings(url, tmp_path, api_key="wrong-key-of-somebody")))
    [refused] = [finding for finding in found if finding.state == "failure"]

    assert (refused.subject, failed(found)) == ("API_KEY", True)
    assert "API key is invalid" in refused.text
    assert "wrong-key-of-somebody" not in report(refused)


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as bound:  # taken, and not listening
        bound.bind(("127.0.0.1", 0))

        assert states(settings(f"http://127.0.0.1:{bound.getsockname()[1]}", tmp_path))["intake"] == "failure"


def test_an_intake_that_hangs(url: str, emulator: Emulator, tmp_path: Path) -> None:
    """It takes no longer than TIMEOUT, twice at most."""
    emulator.fail(delay=60, times=None)

    assert states(settings(url, tmp_path, timeout=0.2))["intake"] == "failure"


def test_a_clock_that_is_wrong(tmp_path: Path) -> None:
    """The answer's date tells."""
    from tests.core.intakes import RawIntake  # noqa: PLC0415 - with the servers it needs

    async def answer(post: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 400 Bad\r\nDate: Mon, 02 Mar 2026 10:00:00 GMT\r\nContent-Length: 0\r\n\r\n")

    intake = RawIntake(answer)
    with intake.running():
        found = {finding.subject: finding for finding in examine(settings(intake.url, tmp_path))}

    assert (found["intake"].state, found["clock"].state) == ("ok", "warning")
    assert "ahead of" in found["clock"].text


def test_a_directory_that_others_can_write(url: str, tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool").chmod(0o777)
    found = {finding.subject: finding for finding in examine(settings(url, tmp_path))}

    assert found["SPOOL_DIR"].state == "warning"
    assert "chmod" in found["SPOOL_DIR"].text


def test_a_process_that_should_deliver_and_does_not_run(url: str, tmp_path: Path) -> None:
    found = list(examine(settings(url, tmp_path, delivery="process")))

    assert [finding.subject for finding in found if finding.state == "failure"] == ["DELIVERY"]


def test_what_was_rejected_and_what_waits(url: str, emulator: Emulator, tmp_path: Path) -> None:
    """Of the application's own events only."""
    emulator.fail(status=400, times=1)
    with Emitter(settings(url, tmp_path)) as emitter:
        emitter.track("order.placed", usr="u-1")
        assert emitter.flush(60)
    Emitter(settings(url, tmp_path, delivery="process")).track("order.placed", usr="u-1")

    found = waiting(settings(url, tmp_path))
    assert found is not None
    assert (found.rejected, found.segments, found.is_delivered) == (1, 1, False)
    assert as_numbers(found)["bytes"] == found.bytes > 0
    assert states(settings(url, tmp_path))["dead letters"] == "warning"
    other = waiting(settings(url, tmp_path, application_id="other"))
    assert other is not None
    assert (other.rejected, other.segments, other.age) == (0, 0, None)


def test_how_long_something_waits(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an event, not of a file: a process that lives for days has the same file for days, and may owe nothing."""
    began, now = time.time_ns(), time.time
    monkeypatch.setattr(segment, "new_name", Names(lambda: began - 86_400_000_000_000).next)

    def stats() -> dict[str, float | bool | None]:
        return as_numbers(waiting(settings(url, tmp_path)))

    with Emitter(settings(url, tmp_path)) as emitter:
        emitter.track("order.placed", usr="u-1")
        assert emitter.flush(60)
        assert (stats()["segments"], stats()["oldest_pending_age"]) == (1, None)
        assert "backlog" not in states(settings(url, tmp_path))

    Emitter(settings(url, tmp_path, delivery="process")).track("order.placed", usr="u-1")
    assert 0 <= cast("float", stats()["oldest_pending_age"]) < 60
    monkeypatch.setattr(time, "time", lambda: now() + 3600)
    assert cast("float", stats()["oldest_pending_age"]) > 3500


def test_how_long_is_found_out_by_the_first_files(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an outage there may be a hundred thousand, and monitoring asks each minute."""
    for _ in range(5):
        Emitter(settings(url, tmp_path, delivery="process")).track("order.placed", usr="u-1")
    opened: list[str] = []
    read = Directory.open

    def noted(self: Directory, name: str) -> Descriptor:
        opened.append(name)
        return read(self, name)

    monkeypatch.setattr(Directory, "open", noted)

    found = as_numbers(waiting(settings(url, tmp_path)))

    assert found["segments"] == 5
    assert sum(name.endswith(".seg") for name in opened) == 1


def test_events_that_are_switched_off(tmp_path: Path) -> None:
    assert states(Settings(enabled=False)) == {"ENABLED": "warning"}
    with pytest.raises(NotSentError, match="ENABLED"):
        send_now(Settings(enabled=False), "a.b", "{}", usr="u", account=None)


def test_a_report_is_safe_to_print() -> None:
    """An intake's words cannot move the cursor."""
    finding = Finding(state="failure", subject="intake", text="\x1b[2Jgone\n", fix="\x07")

    assert report(finding).split("\n") == ["✗ intake         ?[2Jgone?", "                 → ?"]


def test_sending_one_event(url: str, emulator: Emulator, tmp_path: Path) -> None:
    """It is there when the call returns, and nothing is left on disk."""
    event_id = send_now(settings(url, tmp_path, delivery="process"), "a.b", '{"n": 1}', usr="u", account=None)

    assert [(event["dd_pa"]["event_id"], event["n"]) for event in emulator.events] == [(event_id, 1)]
    assert not (tmp_path / "spool").exists()


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [pytest.param("[", "JSON", id="no JSON"), pytest.param("[]", "mapping", id="a list"), pytest.param("{}", "403")],
)
def test_an_event_that_cannot_be_sent(url: str, tmp_path: Path, attributes: str, problem: str) -> None:
    key = "another" if problem == "403" else KEY
    with pytest.raises(NotSentError, match=problem):
        send_now(settings(url, tmp_path, api_key=key), "a.b", attributes, usr="u", account=None)


@pytest.mark.parametrize(("key", "code"), [(KEY, 0), ("wrong", 1), ("", 1)])
def test_the_command(url: str, tmp_path: Path, key: str, code: int) -> None:
    """Its exit code is for scripts."""
    env = {"DD_API_KEY": key, "DD_PA_APPLICATION_ID": "shop", "DD_PA_INTAKE_URL": url}
    unset = {name: None for name in os.environ if name.startswith("DD_")}
    result = CliRunner().invoke(command, env={**unset, **env, "DD_PA_SPOOL_DIR": str(tmp_path / "spool")})

    assert result.exit_code == code, result.output
    assert ("API_KEY" in result.output) == (code == 1)
