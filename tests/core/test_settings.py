from __future__ import annotations

import contextlib
import dataclasses
import logging
import re
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dd_pa import Settings, SettingsError
from tests.core.wire import APPLICATION_ID, settings

KEY = "marked-api-key-4711"
COMPLETE: dict[str, object] = {"APPLICATION_ID": APPLICATION_ID, "API_KEY": KEY}
DJANGO = "DD_PA['{}']"


def anybody() -> None:
    """Something callable that a dotted path can name."""


def from_mapping(**changes: object) -> Settings:
    return Settings.from_mapping(COMPLETE | changes, label=DJANGO)


def test_defaults_are_the_documented_ones() -> None:
    """Two settings are enough; the rest is as the README's table says."""
    documented = {
        "application_id": APPLICATION_ID,
        "site": "datadoghq.com",
        "intake_url": "https://browser-intake-datadoghq.com",
        "proxy": None,
        "ca_file": None,
        "service": None,
        "env": None,
        "version": None,
        "enabled": True,
        "strict": False,
        "buffer_size": 10_000,
        "buffer_max_bytes": 33_554_432,
        "overflow": "drop_oldest",
        "spool_dir": "auto",
        "spool_max_bytes": 268_435_456,
        "spool_sync": False,
        "delivery": "thread",
        "concurrency": 100,
        "timeout": 10.0,
        "shutdown_timeout": 2.0,
        "max_age": 604_800.0,
        "before_send": None,
        "sample_rates": None,
        "user_id": None,
        "account_id": None,
        "session_id": None,
        "rum_session_sample_rate": 100.0,
        "rum_cookie_options": None,
        "on_commit": True,
    }
    found = dataclasses.asdict(from_mapping())

    assert {key: found[key] for key in documented} == documented


def test_settings_cannot_change() -> None:
    """They were checked once."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings().site = "datadoghq.eu"  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        pytest.param("API_KEI", "did you mean API_KEY?", id="typing-error"),
        pytest.param("api_key", "did you mean API_KEY?", id="lower-case"),
        pytest.param("DD_PA_SITE", "there are APPLICATION_ID, API_KEY", id="prefix"),
        pytest.param("BUFFERSIZE", "did you mean BUFFER_SIZE?", id="underscore"),
        pytest.param("XYZZY", "there are APPLICATION_ID, API_KEY", id="like-none"),
        pytest.param(1, "there are APPLICATION_ID, API_KEY", id="no-text"),
    ],
)
def test_unknown_keys_suggest_the_right_one(key: Any, hint: str) -> None:
    """An unknown key is an error with the key as it was spelled; a typing error must not switch something off."""
    with pytest.raises(SettingsError, match=re.escape(f"DD_PA['{key}']: unknown setting; {hint}")):
        Settings.from_mapping({**COMPLETE, key: "x"}, label=DJANGO)


def test_unknown_variables_suggest_the_right_one() -> None:
    """Likewise in the environment; the emulator's own variables are none of ours."""
    environ = {"DD_PA_APPLICATION_ID": "a", "DD_API_KEY": "k", "DD_PA_EMULATOR_PORT": "8994", "DD_TRACE_AGENT_URL": "x"}

    assert Settings.from_env(environ).application_id == "a"
    with pytest.raises(SettingsError, match=re.escape("DD_PA_SIET: unknown setting; did you mean SITE?")):
        Settings.from_env(environ | {"DD_PA_SIET": "datadoghq.eu"})


@pytest.mark.parametrize("service", ["DD_PA", "DD_PA_DELIVER", "DD_PA_RELAY", "DD_PA_OUTBOX_2"])
def test_variables_that_kubernetes_makes_for_a_service_are_none_of_ours(service: str) -> None:
    """Each pod of a namespace gets them, and would not start for want of a setting of that name."""
    links = {
        "SERVICE_HOST": "10.0.0.11",
        "SERVICE_PORT": "6379",
        "SERVICE_PORT_HTTP_2": "6379",
        "PORT": "tcp://10.0.0.11:6379",
        "PORT_6379_TCP": "tcp://10.0.0.11:6379",
        "PORT_6379_TCP_PROTO": "tcp",
        "PORT_6379_UDP_PORT": "6379",
        "PORT_6379_SCTP_ADDR": "10.0.0.11",
    }
    environ = {"DD_PA_APPLICATION_ID": "a", "DD_API_KEY": "k"}

    found = Settings.from_env(environ | {f"{service}_{name}": value for name, value in links.items()})
    assert found == Settings.from_env(environ)


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        pytest.param({"API_KEY": "k"}, "DD_PA['APPLICATION_ID']: is missing; set the id", id="application"),
        pytest.param({"APPLICATION_ID": "a"}, "DD_PA['API_KEY']: is missing; set a Datadog API key", id="key"),
        pytest.param({"APPLICATION_ID": "a", "API_KEY": ""}, "DD_PA['API_KEY']: is missing", id="empty-key"),
        pytest.param({"APPLICATION_ID": "a", "API_KEY": None}, "DD_PA['API_KEY']: is missing", id="none"),
    ],
)
def test_missing_settings_say_what_to_set(mapping: dict[str, object], problem: str) -> None:
    """An error of start, with the key and the fix."""
    with pytest.raises(SettingsError, match="^" + re.escape(problem)):
        Settings.from_mapping(mapping, label=DJANGO)


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("schlüssel" + KEY, id="non-ascii"),
        pytest.param(KEY + "\n\n", id="two-newlines"),
        pytest.param("\n" + KEY, id="newline-in-front"),
        pytest.param(KEY + "\nx", id="newline-inside"),
        pytest.param(KEY + "\r", id="carriage-return"),
        pytest.param(KEY + " ", id="blank"),
        pytest.param(KEY + "\x00", id="nul"),
        pytest.param(KEY + "\u2028", id="line-separator"),
        pytest.param(KEY + "٣", id="arabic-digit"),
    ],
)
def test_keys_that_cannot_be_a_header_are_refused(key: str) -> None:
    """At start, and without the key: unchecked, every request would fail and be tried again for ever."""
    with pytest.raises(
        SettingsError, match=r"^DD_PA\['API_KEY'\]: has a blank, control or non-ASCII character"
    ) as caught:
        from_mapping(API_KEY=key)

    assert KEY not in str(caught.value)


@pytest.mark.parametrize("end", [pytest.param("\n", id="newline"), pytest.param("\r\n", id="carriage-return-newline")])
def test_a_final_newline_is_left_out_with_a_notice(end: str, caplog: pytest.LogCaptureFixture) -> None:
    """Mounted secrets end in one."""
    assert from_mapping(API_KEY=KEY + end).reveal_api_key() == KEY
    assert [(record.levelno, record.message.partition(",")[0]) for record in caplog.records] == [
        (logging.WARNING, "API_KEY ends in a newline")
    ]
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("mapping", "environ", "key"),
    [
        pytest.param({}, {"DD_API_KEY": "shared"}, "shared", id="shared"),
        pytest.param({}, {"DD_PA_API_KEY": "own", "DD_API_KEY": "shared"}, "own", id="own-over-shared"),
        pytest.param({}, {"DD_API_KEY": "shared", "DD_PA_API_KEY": ""}, "shared", id="empty-is-unset"),
        pytest.param({"API_KEY": "m"}, {"DD_PA_API_KEY": "own", "DD_API_KEY": "shared"}, "m", id="mapping-over-both"),
        pytest.param({"API_KEY": None}, {"DD_API_KEY": "shared"}, "shared", id="none-is-unset"),
    ],
)
def test_the_nearest_key_wins(mapping: dict[str, object], environ: dict[str, str], key: str) -> None:
    """Mapping, then `DD_PA_…`, then the name that Datadog's other libraries read."""
    found = Settings.from_mapping({"APPLICATION_ID": "a", **mapping}, environ=environ, defaults={"API_KEY": "d"})

    assert found.reveal_api_key() == key


def test_datadogs_own_variables_are_read() -> None:
    """As its other libraries read them, so that one deployment sets them once."""
    shared = {"DD_API_KEY": "k", "DD_SITE": "datadoghq.eu", "DD_SERVICE": "shop", "DD_ENV": "prod", "DD_VERSION": "1.2"}

    found = Settings.from_env({"DD_PA_APPLICATION_ID": "a", **shared})

    assert found == settings(
        application_id="a",
        api_key="k",
        site="datadoghq.eu",
        service="shop",
        env="prod",
        version="1.2",
        spool_dir="auto",
    )


def test_the_environment_is_read_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """`from_env()` reads the process's own; `from_mapping` and the constructor none."""
    monkeypatch.setenv("DD_API_KEY", "k")
    monkeypatch.setenv("DD_PA_APPLICATION_ID", "a")

    assert Settings.from_env().reveal_api_key() == "k"
    with pytest.raises(SettingsError, match="API_KEY: is missing"):
        Settings(application_id="a")
    with pytest.raises(SettingsError, match="API_KEY: is missing"):
        Settings.from_mapping({"APPLICATION_ID": "a"})


def test_defaults_come_last() -> None:
    """A glue's default (`STRICT` follows the debug flag) gives way to whatever was set."""
    defaults = {"STRICT": True, "ON_COMMIT": False}

    found = Settings.from_mapping(COMPLETE, environ={"DD_PA_STRICT": "false"}, defaults=defaults)

    assert (found.strict, found.on_commit) == (False, False)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        pytest.param("ENABLED", "true", True, id="true"),
        pytest.param("STRICT", "1", True, id="one"),
        pytest.param("ON_COMMIT", "False", False, id="false"),
        pytest.param("ON_COMMIT", "0", False, id="zero"),
        pytest.param("BUFFER_SIZE", "500", 500, id="whole"),
        pytest.param("TIMEOUT", "2.5", 2.5, id="number"),
        pytest.param("TIMEOUT", "3", 3.0, id="whole-number"),
        pytest.param("OVERFLOW", "drop_newest", "drop_newest", id="choice"),
        pytest.param("VERSION", "1.0", "1.0", id="text-that-looks-like-a-number"),
        pytest.param("RUM_COOKIE_OPTIONS", "0", "0", id="text-of-a-digit"),
    ],
)
def test_texts_become_the_settings_type(key: str, text: str, value: object) -> None:
    """Environment variables have no types; mappings may come from them."""
    environ = {"DD_PA_APPLICATION_ID": "a", "DD_API_KEY": "k", f"DD_PA_{key}": text}

    for found in (Settings.from_env(environ), from_mapping(**{key: text})):
        assert (getattr(found, key.lower()), type(getattr(found, key.lower()))) == (value, type(value))


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        pytest.param("ENABLED", "yes", "must be true or false", id="yes"),
        pytest.param("STRICT", 2, "must be true or false", id="two"),
        pytest.param("BUFFER_SIZE", "many", "must be a whole number", id="word"),
        pytest.param("BUFFER_SIZE", 1.5, "must be a whole number", id="fraction"),
        pytest.param("BUFFER_SIZE", True, "must be a whole number", id="flag"),
        pytest.param("BUFFER_SIZE", "9" * 5000, "must be a whole number", id="digits"),
        pytest.param("BUFFER_SIZE", 0, "must be 1 or more", id="no-buffer"),
        pytest.param("CONCURRENCY", "-1", "must be 1 or more", id="negative"),
        pytest.param("TIMEOUT", [], "must be a number", id="list"),
        pytest.param("TIMEOUT", "nan", "must be more than 0 seconds", id="nan"),
        pytest.param("TIMEOUT", 0, "must be more than 0 seconds", id="no-time"),
        pytest.param("MAX_AGE", float("inf"), "must be more than 0 seconds", id="infinite"),
        pytest.param("SHUTDOWN_TIMEOUT", "inf", "must be 0 seconds or more", id="for-ever"),
        pytest.param("SHUTDOWN_TIMEOUT", -1, "must be 0 seconds or more", id="before"),
        pytest.param("RUM_SESSION_SAMPLE_RATE", 100.5, "must lie between 0 and 100", id="over-100"),
        pytest.param("RUM_SESSION_SAMPLE_RATE", "nan", "must lie between 0 and 100", id="no-rate"),
        pytest.param("OVERFLOW", "drop_all", "must be drop_oldest or drop_newest", id="choice"),
        pytest.param("VERSION", 2, "must be a text", id="number-for-text"),
        pytest.param("SERVICE", b"shop", "must be a text", id="bytes"),
        pytest.param("API_KEY", 4711, "must be a text", id="number-for-key"),
        pytest.param("APPLICATION_ID", "an id", "is not an id", id="blank-in-id"),
        pytest.param("APPLICATION_ID", "x" * 201, "is not an id", id="long-id"),
        pytest.param("PROXY", "socks5://localhost", "is not an http(s) address", id="socks"),
        pytest.param("PROXY", "http://", "is not an http(s) address", id="no-proxy-host"),
        pytest.param("CA_FILE", "/nowhere/ca.pem", "there is no file '/nowhere/ca.pem'", id="no-file"),
        pytest.param("BEFORE_SEND", "nowhere.at_all", "cannot import 'nowhere.at_all'", id="no-module"),
        pytest.param("BEFORE_SEND", f"{__name__}.nobody", "cannot import", id="no-name"),
        pytest.param("USER_ID", f"{__name__}.KEY", "is not callable", id="no-callable"),
        pytest.param("ACCOUNT_ID", "anybody", "cannot import 'anybody'", id="no-dot"),
        pytest.param("SESSION_ID", ".wire.settings", "cannot import '.wire.settings'", id="relative"),
        pytest.param("SESSION_ID", 5, "cannot import 5", id="resolver-of-another-type"),
    ],
)
def test_bad_values_name_the_key_as_it_was_spelled(key: str, value: object, problem: str) -> None:
    """In the mapping's spelling; and, for texts, in the environment's."""
    with pytest.raises(SettingsError, match=re.escape(problem)) as caught:
        from_mapping(**{key: value})

    assert str(caught.value).startswith(f"DD_PA['{key}']: ")
    if isinstance(value, str):
        with pytest.raises(SettingsError, match=re.escape(problem)) as caught:
            Settings.from_env({"DD_PA_APPLICATION_ID": "a", "DD_API_KEY": "k", f"DD_PA_{key}": value})
        assert str(caught.value).startswith(f"DD_PA_{key}: ")


@pytest.mark.parametrize(
    ("environ", "start"),
    [
        pytest.param({"DD_SITE": "ddog-gov.com"}, "DD_SITE: Datadog takes no", id="site"),
        pytest.param({"DD_PA_SITE": "uk1.datadoghq.com"}, "DD_PA_SITE: Datadog takes no", id="own-site"),
        pytest.param({"DD_API_KEY": "a b"}, "DD_API_KEY: has a blank", id="key"),
        pytest.param({"DD_API_KEY": ""}, "DD_PA_API_KEY: is missing", id="missing-key"),
    ],
)
def test_errors_name_the_variable_that_was_read(environ: dict[str, str], start: str) -> None:
    """Not the setting that it became."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({"DD_PA_APPLICATION_ID": "a", "DD_API_KEY": "k"} | environ)

    assert str(caught.value).startswith(start)


@pytest.mark.parametrize("key", ["BEFORE_SEND", "USER_ID", "ACCOUNT_ID", "SESSION_ID"])
def test_callables_can_be_dotted_paths(key: str) -> None:
    """Imported when the settings are made, so that a wrong one fails at start."""
    for given_as in (anybody, f"{__name__}.anybody"):
        assert getattr(from_mapping(**{key: given_as}), key.lower()) is anybody


def test_a_failing_import_keeps_its_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the module raised is shown, whatever it is."""
    (tmp_path / "broken_analytics.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(
        SettingsError, match=re.escape("cannot import 'broken_analytics.account_of' (division by zero)")
    ) as caught:
        from_mapping(ACCOUNT_ID="broken_analytics.account_of")

    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_path_may_be_a_path(tmp_path: Path) -> None:
    """Django's settings build paths with pathlib."""
    ca_file = tmp_path / "ca.pem"
    ca_file.touch()

    assert from_mapping(CA_FILE=ca_file).ca_file == str(ca_file)


def test_disabled_needs_nothing() -> None:
    """Where nothing is sent, no key, no application and no reachable site are asked for; typing errors still are."""
    assert not Settings(enabled=False, site="ddog-gov.com").enabled
    assert Settings.from_env({"DD_PA_ENABLED": "false"}).reveal_api_key() == ""
    with pytest.raises(SettingsError, match="did you mean API_KEY"):
        Settings.from_mapping({"ENABLED": False, "API_KEI": "k"})


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        pytest.param("https://intake.example.com", "https://intake.example.com", id="https"),
        pytest.param("https://intake.example.com/", "https://intake.example.com", id="slash"),
        pytest.param("https://Intake.Example.com:8443", "https://intake.example.com:8443", id="port"),
        pytest.param("HTTPS://intake.example.com:", "https://intake.example.com", id="empty-port"),
        pytest.param("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443", id="ipv6"),
        pytest.param("http://127.0.0.1:8994", "http://127.0.0.1:8994", id="loopback"),
        pytest.param("http://127.255.0.3", "http://127.255.0.3", id="another-loopback"),
        pytest.param("http://localhost:8994", "http://localhost:8994", id="localhost"),
        pytest.param("http://shop.localhost", "http://shop.localhost", id="below-localhost"),
        pytest.param("http://[::1]:8994", "http://[::1]:8994", id="ipv6-loopback"),
    ],
)
def test_an_intake_is_an_origin(url: str, origin: str) -> None:
    """Kept as scheme, host and port, as they were understood."""
    assert settings(intake_url=url).intake_url == origin


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://intake.example.com", id="clear"),
        pytest.param("http://10.0.0.1", id="clear-address"),
        pytest.param("http://127.0.0.1.evil.com", id="look-alike-address"),
        pytest.param("http://localhost.evil.com", id="look-alike-name"),
        pytest.param("http://evillocalhost", id="look-alike-end"),
        pytest.param("http://localhost@evil.com", id="loopback-as-user"),
        pytest.param("http://evil.com#@localhost", id="loopback-in-fragment"),
        pytest.param("http://evil.com\\@localhost", id="backslash"),
        pytest.param("http://[::1].evil.com", id="brackets-in-front"),
        pytest.param("http://[::ffff:10.0.0.1]", id="mapped-address"),
        pytest.param("http://0.0.0.0", id="any-address"),
        pytest.param("http://127.1", id="short-address"),
        pytest.param("http://2130706433", id="decimal-address"),
        pytest.param("https://key@intake.example.com", id="user"),
        pytest.param("https://user:pass@intake.example.com", id="password"),
        pytest.param("https://intake.example.com/api/v2/prodlytics", id="path"),
        pytest.param("https://intake.example.com?x=1", id="query"),
        pytest.param("https://intake.example.com#x", id="fragment"),
        pytest.param("https://intake.example.com\\.evil.com", id="backslash-in-host"),
        pytest.param("https://a,b", id="comma"),
        pytest.param("http://.localhost", id="empty-label"),
        pytest.param("https://a..b", id="empty-label-inside"),
        pytest.param("https://-a.com", id="hyphen-in-front"),
        pytest.param("https://" + "a" * 64, id="long-label"),
        pytest.param("https://%65vil.com", id="percent"),
        pytest.param("https://", id="no-host"),
        pytest.param("https://:443", id="port-only"),
        pytest.param("https://intake.example.com:99999", id="port-too-high"),
        pytest.param("https://intake.example.com:x", id="port-no-number"),
        pytest.param("https://[::1", id="open-bracket"),
        pytest.param("https://[::1%25eth0]", id="zone"),
        pytest.param("https://intäke.example.com", id="non-ascii"),
        pytest.param("https://intake.example.com\r\nX: y", id="line-break"),
        pytest.param(" https://intake.example.com", id="blank"),
        pytest.param("intake.example.com", id="no-scheme"),
        pytest.param("//intake.example.com", id="scheme-relative"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("ftp://intake.example.com", id="ftp"),
        pytest.param("", id="empty"),
    ],
)
def test_anything_else_is_no_intake(url: str) -> None:
    """The key goes over TLS, or stays on this machine, and to the host that a reader of the address sees."""
    with pytest.raises(SettingsError, match=r"^INTAKE_URL: ") as caught:
        settings(intake_url=url)

    assert "pass" not in str(caught.value)


@example("a.localhost:80")
@example("a:0443")
@example("xn--a.localhost")
@given(st.text(st.sampled_from("htps:/[]@.#?%\\:,;0127.locahsevil \n\t٣é"), max_size=30))
def test_no_address_fails_in_another_way(text: str) -> None:
    """Whatever is given: an origin that is safe to send to, or an error that names the setting."""
    for url in (text, f"http://{text}", f"https://{text}"):
        with contextlib.suppress(SettingsError):
            origin = settings(intake_url=url).intake_url
            safe = r"https://\S+|http://(localhost|\S+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?"
            assert re.fullmatch(safe, str(origin))
            assert str(httpx.URL(str(origin)).copy_with(path="")) in (
                origin,
                f"{origin}/",
                str(origin).rpartition(":")[0],
            )


def _everything_that_a_report_shows(error: BaseException) -> str:
    """Return an error as reporters show it: each frame with its local variables, and the same of its causes."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


@pytest.mark.parametrize(
    "mapping",
    [
        pytest.param({"API_KEY": KEY + "é"}, id="bad-key"),
        pytest.param({"API_KEY": KEY, "APPLICATION_ID": ""}, id="missing"),
        pytest.param({"API_KEY": KEY, "SITE": "nowhere"}, id="site"),
        pytest.param({"API_KEY": KEY, "TIMEOUT": "soon"}, id="type"),
        pytest.param({"API_KEY": KEY, "TIMEOUTS": 1}, id="unknown"),
        pytest.param({"API_KEY": KEY, "USER_ID": "nowhere.at_all"}, id="import"),
        pytest.param({"API_KEY": [KEY]}, id="key-in-a-list"),
    ],
)
def test_error_reports_do_not_show_the_key(mapping: Mapping[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither message nor local variables of our frames: services that collect errors show both."""
    environ = {f"DD_PA_{key}": value for key, value in mapping.items() if isinstance(value, str)}
    for variable, value in (environ | {"DD_PA_APPLICATION_ID": "", "UNRELATED": KEY}).items():
        monkeypatch.setenv(variable, value)
    reports = []
    for source in ("mapping", "environment"):
        try:
            Settings.from_mapping(dict(mapping)) if source == "mapping" else Settings.from_env()
        except SettingsError as error:
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next  # without this test's own frame
            reports.append(_everything_that_a_report_shows(error))

    assert len(reports) == 2
    assert not [report for report in reports if KEY in report]
