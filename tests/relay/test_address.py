"""Every wrong address of a broker is refused when the settings are made, under the name of the setting."""

from __future__ import annotations

import pytest

from dd_pa import Settings
from dd_pa.errors import SettingsError
from dd_pa.settings.relay_address import address

WRONG = {
    "redis://a,b:1": "names several hosts, and redis:// takes one",
    "nats://a:4222,b:4222": "check its brackets and its port",
    "tls://a,b": "names several hosts, and tls:// takes one",
    "amqp://u:secret@a,b/v": "names several hosts, and amqp:// takes one",
    "redis://": "names no host",
    "redis:a": "names no host",
    "redis://a..b": "no host and port that could be",
    "redis://-a": "no host and port that could be",
    "redis://a%20b": "no host and port that could be",
    "amqp://a:0": "no host and port that could be",
    "amqp://a:99999": "check its brackets and its port",
    "redis://[::1": "check its brackets and its port",
    "redis://a b": "a blank",
    "redis://a/x": "the number of a database",
    "redis://a/0/1": "the number of a database",
    "redis://a?db=1": "unknown option 'db'",
    "redis://a?keep=never": "keep='never' must be a number",
    "redis://a?stream=a&stream=b": "says 'stream' twice",
    "redis://user@a": "a user or a password only",
    "nats://a/events": "the path of nats:// must be no path",
    "nats://:secret@a": "a user or a password only",
    "amqp://a/v/w": "one virtual host",
    "amqp://user@a": "a user or a password only",
    "amqp://:secret@a": "a user or a password only",
    "http://a": "'http' is none of redis, rediss,",
}


@pytest.mark.parametrize("url", WRONG)
@pytest.mark.parametrize("key", ["RELAY_URL", "TAP_URL"])
def test_a_wrong_address_is_refused_under_the_settings_name(key: str, url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings(application_id="shop", api_key="k" * 32, **{key.lower(): url})  # type: ignore[arg-type]
    assert str(refused.value).startswith(f"{key}: ")
    assert WRONG[url] in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://a",
        "redis://a:6379/0",
        "redis://a/15/",
        "redis://:p%2Cw@a",
        "rediss://u:p@redis_1.internal.:6380/2?stream=x",
        "redis://[::1]:6379",
        "redis://[fe80::1%25eth0]:6379",
        "redis://10.0.0.1",
        "nats://token@a",
        "nats://u:p@a:4222/",
        "amqp://u:p@a/%2Fv",
        "amqps://a//",
    ],
)
def test_what_is_right_stays_as_it_is(url: str) -> None:
    assert address("RELAY_URL", url).reveal() == url.partition("?")[0]
