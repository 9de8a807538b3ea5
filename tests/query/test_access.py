"""Where queries go, with which keys, and what is refused before anything is sent."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from dd_pa import Settings, SettingsError
from dd_pa.query import QueryClient, events
from tests.core.wire import settings
from tests.query.api import APP_KEY, Api, counted, reading

COUNT = events("a").count().last(days=1)


def asked(made: Settings) -> Any:
    """Return the request of a query with these settings."""
    api = Api(counted(1))
    with QueryClient(made, transport=api) as client:
        client.run(COUNT)
    return api.requests[0]


@pytest.mark.parametrize(
    ("changes", "origin"),
    [
        pytest.param({}, "https://api.datadoghq.com", id="default"),
        pytest.param({"site": "us3.datadoghq.com"}, "https://api.us3.datadoghq.com", id="site"),
        pytest.param({"intake_url": "http://127.0.0.1:8994"}, "http://127.0.0.1:8994", id="emulator"),
        pytest.param({"intake_url": "http://[::1]:8994/"}, "http://[::1]:8994", id="emulator-ipv6"),
        pytest.param({"intake_url": "https://relay.example.com"}, "https://api.datadoghq.com", id="relay"),
        pytest.param(
            {"intake_url": "http://localhost:1", "api_url": "https://api.example.com"},
            "https://api.example.com",
            id="own",
        ),
        pytest.param({"api_url": "http://localhost:1"}, "http://localhost:1", id="api-only"),
        pytest.param({"site": "ddog-gov.com", "enabled": False}, "https://api.ddog-gov.com", id="gov-reads-only"),
        pytest.param({"enabled": False, "application_id": ""}, "https://api.datadoghq.com", id="no-application"),
    ],
)
def test_where_queries_go(changes: dict[str, Any], origin: str) -> None:
    """To the emulator when events do, else to the site; reading works without an application, where sending is off."""
    url = asked(reading(**changes)).url

    assert str(url) == f"{origin}/api/v2/product-analytics/analytics/scalar"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        pytest.param({"api_url": "http://api.example.com"}, "API_URL: would send the API key in clear", id="clear"),
        pytest.param({"api_url": "https://a:b@c.example"}, "API_URL: must have no user", id="user"),
        pytest.param({"api_url": "ftp://c.example"}, "API_URL: is not an http", id="scheme"),
        pytest.param(
            {"enabled": False, "site": "evil.example"}, "SITE: 'evil.example' is not a Datadog site", id="site"
        ),
        pytest.param({"app_key": None}, "APP_KEY: is missing; queries need an application key", id="no-app-key"),
        pytest.param({"app_key": ""}, "APP_KEY: is missing", id="empty-app-key"),
        pytest.param({"enabled": False, "api_key": None}, "API_KEY: is missing", id="no-key"),
        pytest.param({"app_key": "a b"}, "APP_KEY: has a blank", id="blank"),
        pytest.param({"app_key": "***"}, "APP_KEY: is the mask of a key", id="mask"),
        pytest.param({"bearer_token": "tök"}, "BEARER_TOKEN: has a blank, control or non-ASCII", id="token"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], problem: str) -> None:
    """With the setting's name and the fix, never the key."""
    with pytest.raises(SettingsError, match=problem):
        asked(reading(**changes))


def test_a_bearer_token_goes_alone() -> None:
    """Instead of both keys, not besides them."""
    headers = asked(reading(bearer_token="token-1\n")).headers

    assert headers["authorization"] == "Bearer token-1"
    assert not {"dd-api-key", "dd-application-key"} & set(headers)


def test_the_emulator_needs_no_keys() -> None:
    """Any will do there; those that are set are sent."""
    url = "http://127.0.0.1:8994"
    without = asked(Settings(enabled=False, api_url=url)).headers
    own = asked(settings(intake_url=url, app_key=APP_KEY)).headers

    assert (without["dd-api-key"], without["dd-application-key"]) == ("local", "local")
    assert (own["dd-api-key"], own["dd-application-key"]) == ("k", APP_KEY)


def test_the_environment() -> None:
    """The variables that Datadog's other libraries read, and our own."""
    environ = {
        "DD_PA_APPLICATION_ID": "a",
        "DD_API_KEY": "k",
        "DD_APP_KEY": "shared",
        "DD_BEARER_TOKEN": "token",
        "DD_PA_API_URL": "http://localhost:8994",
    }
    found = Settings.from_env(environ)
    own = Settings.from_env(environ | {"DD_PA_APP_KEY": "own"})

    assert (str(found.app_key), str(found.bearer_token)) == ("***", "***")
    assert found.api_url == "http://localhost:8994"
    assert "shared" not in repr(found)
    assert "token" not in repr(found)
    assert own.app_key != found.app_key


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a client is made; the builder needs nothing."""
    monkeypatch.delattr("dd_pa.query.retry_policy", raising=False)
    monkeypatch.setitem(sys.modules, "dd_pa.query.retry_policy", None)

    with pytest.raises(ImportError, match=r"pip install 'dd-pa\[query\]'"):
        QueryClient(reading())
