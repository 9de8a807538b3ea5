"""What an address of Kafka may say, and what the client is told by it."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from dd_pa import Settings
from dd_pa.errors import SettingsError
from dd_pa.relay.kafka_client import client_options
from dd_pa.settings.relay_address import address

pytestmark = pytest.mark.skipif(find_spec("confluent_kafka") is None, reason="needs confluent-kafka")


@pytest.mark.parametrize(
    ("url", "shown", "servers"),
    [
        ("kafka://a", "kafka://a/dd-pa", "a"),
        ("kafka://a:9092,b:9093/shop.events", "kafka://a:9092,b:9093/shop.events", "a:9092,b:9093"),
        ("kafkas://u:p%40%2C@a:1,b/t?sasl=scram-sha-512", "kafkas://a:1,b/t", "a:1,b"),
        ("kafka://[::1]:9092,[::2]:9092/t/", "kafka://[::1]:9092,[::2]:9092/t", "[::1]:9092,[::2]:9092"),
    ],
)
def test_hosts_and_topic(url: str, shown: str, servers: str) -> None:
    found = address("RELAY_URL", url)
    assert (found.shown, client_options(found, None, "me")["bootstrap.servers"]) == (shown, servers)
    assert "p@" not in repr(found)


@pytest.mark.parametrize(
    ("url", "protocol", "mechanism"),
    [
        ("kafka://a/t", "PLAINTEXT", None),
        ("kafkas://a/t", "SSL", None),
        ("kafka://us%2Fer:p%3Aw@a/t", "SASL_PLAINTEXT", "PLAIN"),
        ("kafkas://us%2Fer:p%3Aw@a,b/t?sasl=scram-sha-256", "SASL_SSL", "SCRAM-SHA-256"),
    ],
)
def test_who_and_how(url: str, protocol: str, mechanism: str | None) -> None:
    options = client_options(address("RELAY_URL", url), "ca.pem", "me")
    assert (options["security.protocol"], options.get("sasl.mechanism")) == (protocol, mechanism)
    assert (options.get("sasl.username"), options.get("sasl.password")) == (
        ("us/er", "p:w") if mechanism else (None, None)
    )
    assert options.get("ssl.ca.location") == ("ca.pem" if "SSL" in protocol else None)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("kafka://", "names no host"),
        ("kafka://a,,b/t", "names no host"),
        ("kafka://a:9092,b:x/t", "check its brackets and its port"),
        ("kafka://a/t/u", "topic 't/u' must be"),
        ("kafka://a/..", "topic '..' must be"),
        ("kafka://a/t?stream=u", "unknown option 'stream'; there are sasl"),
        ("kafka://u:secret@a/t?sasl=gssapi", "sasl='gssapi' must be one of plain, scram-sha-256, scram-sha-512"),
        ("kafka://a/t?sasl=plain", "sasl=plain needs a user"),
        ("kafka://user@a/t", "a user or a password only"),
        ("kafka://u:secret@a,b/t#x", "no fragment"),
    ],
)
def test_a_wrong_address_is_refused_under_the_settings_name(url: str, problem: str) -> None:
    with pytest.raises(SettingsError, match="RELAY_URL") as refused:
        Settings(application_id="shop", relay_url=url)
    assert problem in str(refused.value)
    assert "secret" not in str(refused.value)
