"""The settings of the browser SDK, and what a page tells it."""

from __future__ import annotations

import json
import math
import traceback
from typing import Any

import pytest

from dd_pa import Emitter, EventError, Identity, Settings, SettingsError, identify
from dd_pa.gateways.rum_page import is_personal, page_setup, sdk_url, unknown_visitor

TOKEN = "pub0123456789abcdef0123456789abcdef"
KEY = "0123456789abcdef0123456789abcdef"


def settings(**changes: Any) -> Settings:
    fixed = {"application_id": "app", "api_key": "key", "client_token": TOKEN, "spool_dir": None}
    return Settings(**(fixed | changes))


@pytest.mark.parametrize("value", [KEY, "abc", "PUB0123", "pub", "pub 123", "pub123\n", TOKEN + '"><script>'])
def test_what_is_no_client_token_is_refused_and_never_quoted(value: str) -> None:
    """An API key in its place would be shown to everybody: neither the error nor its traceback does."""
    with pytest.raises(SettingsError, match="CLIENT_TOKEN: is not the browser's client token") as refused:
        Settings.from_mapping({"CLIENT_TOKEN": value, "APPLICATION_ID": "app", "API_KEY": "key"})

    told = traceback.TracebackException.from_exception(refused.value, capture_locals=True)
    assert KEY not in "".join(f"{told} {frame.locals}" for frame in told.stack[1:])  # the first one is this test


def test_client_token_as_api_key_is_refused() -> None:
    """The other way round it would be refused by the intake, much later."""
    with pytest.raises(SettingsError, match="API_KEY: is the browser's client token"):
        settings(api_key=TOKEN)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        pytest.param({"rum_sdk_version": "latest"}, "RUM_SDK_VERSION: 'latest' is no major version", id="version"),
        pytest.param({"rum_sdk_version": "v7/../x"}, "RUM_SDK_VERSION", id="version with a path"),
        pytest.param({"rum_sdk_url": "http://cdn.example.com/rum.js"}, "RUM_SDK_URL: must be a path", id="http"),
        pytest.param({"rum_sdk_url": "//cdn.example.com/rum.js"}, "RUM_SDK_URL", id="no scheme"),
        pytest.param({"rum_sdk_url": "/\\cdn.example.com/rum.js"}, "RUM_SDK_URL", id="backslash"),
        pytest.param({"rum_sdk_url": "https:/\\cdn.example.com/rum.js"}, "RUM_SDK_URL", id="backslash in an address"),
        pytest.param({"rum_sdk_url": "javascript:alert(1)"}, "RUM_SDK_URL", id="script"),
        pytest.param({"rum_sdk_url": "https://cdn.example.com@evil.example/rum.js"}, "RUM_SDK_URL", id="user"),
        pytest.param({"rum_sdk_url": "/rum .js"}, "RUM_SDK_URL", id="blank"),
        pytest.param({"rum_sdk_integrity": "sha384-abc="}, "RUM_SDK_INTEGRITY: needs a RUM_SDK_URL", id="hash alone"),
        pytest.param({"rum_sdk_url": "/rum.js", "rum_sdk_integrity": '"'}, "RUM_SDK_INTEGRITY: is no hash", id="hash"),
        pytest.param({"rum_options": {"beforeSend": print}}, "RUM_OPTIONS: must be JSON", id="function"),
        pytest.param({"rum_options": {"x": math.nan}}, "RUM_OPTIONS: must be JSON", id="nan"),
        pytest.param({"rum_options": {"clientToken": "x"}}, "RUM_OPTIONS: .* CLIENT_TOKEN", id="token"),
        pytest.param({"rum_options": {"applicationId": "x"}}, "RUM_OPTIONS: .* APPLICATION_ID", id="application"),
        pytest.param({"rum_options": {"sessionSampleRate": 50}}, "RUM_SESSION_SAMPLE_RATE", id="rate"),
        pytest.param(
            {"rum_options": {"sessionSampleRate": True}, "rum_session_sample_rate": 1.0}, "RUM_SESSION", id="bool"
        ),
    ],
)
def test_wrong_settings_are_refused(changes: dict[str, Any], problem: str) -> None:
    """At start, with the key and the fix."""
    with pytest.raises(SettingsError, match=problem):
        settings(**changes)


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        pytest.param({}, "https://www.datadoghq-browser-agent.com/us1/v7/datadog-rum.js", id="usual"),
        pytest.param(
            {"site": "datadoghq.eu", "rum_sdk_version": "v6"},
            "https://www.datadoghq-browser-agent.com/eu1/v6/datadog-rum.js",
            id="site and version",
        ),
        pytest.param(
            {"site": "ddog-gov.com", "enabled": False},
            "https://www.datadoghq-browser-agent.com/datadog-rum-v7.js",
            id="site without a folder",
        ),
        pytest.param({"rum_sdk_url": "/static/rum.js"}, "/static/rum.js", id="own file"),
        pytest.param({"rum_sdk_url": "http://127.0.0.1:8000/rum.js"}, "http://127.0.0.1:8000/rum.js", id="loopback"),
    ],
)
def test_where_the_sdk_comes_from(changes: dict[str, Any], url: str) -> None:
    """Datadog's own delivery network unless a file is named."""
    assert sdk_url(settings(**changes)) == url


def test_setup_of_a_page() -> None:
    """Ids are the same texts as on the wire; options win over what the server calls itself."""
    given = settings(
        service="shop", env="demo", rum_session_sample_rate=50, rum_options={"sessionSampleRate": 50, "service": "web"}
    )
    setup = page_setup(given, Identity(usr="7", account="acme", session="not for the page"))

    assert setup == {
        "init": {
            "applicationId": "app",
            "clientToken": TOKEN,
            "site": "datadoghq.com",
            "sessionSampleRate": 50,
            "service": "web",
            "env": "demo",
        },
        "user": {"id": "7"},
        "account": {"id": "acme"},
    }


@pytest.mark.parametrize(
    ("changes", "identity", "consent", "personal"),
    [
        pytest.param({}, Identity(session="s"), None, False, id="nobody"),
        pytest.param({}, Identity(usr="7"), None, True, id="user"),
        pytest.param({}, Identity(account="acme"), None, True, id="account"),
        pytest.param({}, Identity(consent=False), "not-granted", False, id="denied by a block"),
        pytest.param({"consent": bool}, Identity(consent=False), "not-granted", True, id="denied"),
        pytest.param({"consent": bool}, Identity(), "granted", True, id="granted"),
        pytest.param({"respect_gpc": True}, Identity(), "pending", True, id="left to the page"),
        pytest.param({"respect_gpc": True}, Identity(consent=False), "not-granted", True, id="objected"),
    ],
)
def test_consent_and_whose_page_it_is(
    changes: dict[str, Any], identity: Identity, consent: str | None, personal: bool
) -> None:
    """The server's decision is passed on, and a page that says it is as personal as one that names somebody."""
    given = settings(**changes, rum_options={"trackingConsent": "pending"} if consent == "pending" else None)

    assert page_setup(given, identity)["init"].get("trackingConsent") == consent
    assert is_personal(given, identity) is personal


def test_unknown_visitor_has_not_agreed() -> None:
    """Where consent is asked for and cannot be; else nothing is said about it."""
    assert unknown_visitor(settings()) == Identity()
    assert unknown_visitor(settings(consent=bool)) == Identity(consent=False)


def test_failing_consent_is_a_no(caplog: pytest.LogCaptureFixture) -> None:
    """As for events."""

    class Asked:
        usr = account = session = None

        @property
        def consent(self) -> bool:
            raise LookupError("secret value")

    assert Emitter(settings(consent=bool), identity=Asked).integration.identity() == Identity(consent=False)
    assert "CONSENT failed" in caplog.text
    with pytest.raises(LookupError):
        Emitter(settings(consent=bool, strict=True), identity=Asked).integration.identity()


def test_options_are_copied_and_read_from_the_environment() -> None:
    """What is changed afterwards is not ours; in the environment they are JSON."""
    options: dict[str, Any] = {"allowedTracingUrls": ["https://api.example.com"]}
    given = settings(rum_options=options)
    options["allowedTracingUrls"].append("https://evil.example")
    environ = {"DD_API_KEY": "k", "DD_PA_APPLICATION_ID": "a", "DD_PA_RUM_OPTIONS": json.dumps({"proxy": "/rum"})}

    assert given.rum_options == {"allowedTracingUrls": ["https://api.example.com"]}
    assert Settings.from_env(environ).rum_options == {"proxy": "/rum"}
    with pytest.raises(SettingsError, match="DD_PA_RUM_OPTIONS: must be a mapping, or a JSON object"):
        Settings.from_env(environ | {"DD_PA_RUM_OPTIONS": "proxy=/rum"})


def test_settings_with_options_can_still_be_a_key() -> None:
    """Settings are values: equal ones hash alike."""
    one, same = settings(rum_options={"proxy": "/rum"}), settings(rum_options={"proxy": "/rum"})

    assert {one: 1}[same] == 1


def test_identity_of_a_page_is_the_one_of_an_event() -> None:
    """`identify()` wins over the request's login, as for events."""
    emitter = Emitter(settings(), identity=lambda: Identity(usr="login", account="acme"))

    with identify(usr="explicit"):
        assert emitter.integration.identity() == Identity(usr="explicit")
    assert emitter.integration.identity() == Identity(usr="login", account="acme")


def test_failing_identity_leaves_the_page_without(caplog: pytest.LogCaptureFixture) -> None:
    """A page is not worth less than an event: no error outside of strict mode, and nothing is counted as an event."""

    def fails() -> Identity:
        raise LookupError("secret value")

    emitter = Emitter(settings(), identity=fails)
    found = emitter.integration.identity()

    assert found == Identity()
    assert emitter.stats().repaired == 0
    assert "secret value" not in caplog.text
    assert "the identity callable failed: LookupError" in caplog.text
    with pytest.raises(LookupError):
        Emitter(settings(strict=True), identity=fails).integration.identity()
    with pytest.raises(EventError):
        Emitter(settings(strict=True), identity=lambda: Identity(usr="")).integration.identity()
