from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from typing import Any

import httpx
import pytest
from datadog_api_client import ApiClient, Configuration
from datadog_api_client.v2.model.product_analytics_server_side_event_item import ProductAnalyticsServerSideEventItem
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dd_pa import BuiltEvent, EventDraft, EventError, Identity
from dd_pa.capture.event import MAX_NAME, EventBuilder
from dd_pa.emulator import Emulator
from tests.core.attribute_values import GOOD, Colour, HostileKey, HostileText, Subtext
from tests.core.wire import event, parsed, settings, without_ids

NOW = 1_795_444_496_789_012_345
ALL = Identity(usr="u-1", account="acme", session="7f150524-34b9-45df-9e77-69b10f4205b4")


def build(name: str = "x.y", attributes: Any = None, identity: Identity = ALL, **changes: Any) -> BuiltEvent:
    return EventBuilder(settings(**changes), clock=lambda: NOW).build(name, attributes, identity)[0]


def test_the_whole_event() -> None:
    """Structure, tags, attributes at the top level and our own two fields: all that leaves, to the last member."""
    made = build("checkout.completed", {"order": {"total": 42.5}}, service="shop", env="prod", version="1.2")

    assert json.loads(made.body) == {
        "type": "server",
        "application": {"id": "51419fd9-a73f-4508-9f74-ad07d6669a47"},
        "service": "shop",
        "env": "prod",
        "version": "1.2",
        "event": {"name": "checkout.completed"},
        "usr": {"id": "u-1"},
        "account": {"id": "acme"},
        "session": {"id": "7f150524-34b9-45df-9e77-69b10f4205b4"},
        "order": {"total": 42.5},
        "dd_pa": {"event_id": made.id, "occurred_at": 1_795_444_496_789},
    }
    assert (made.name, made.occurred_at) == ("checkout.completed", 1_795_444_496_789)


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"usr": "u-1"}, id="usr"),
        pytest.param({"account": "acme"}, id="account"),
        pytest.param({"session": "s-1"}, id="session"),
        pytest.param({"usr": "u-1", "session": "s-1"}, id="usr-and-session"),
        pytest.param({"usr": 'a"b\\c/</script>ü😀'}, id="characters-to-escape"),
    ],
)
@pytest.mark.parametrize("attributes", [None, {}, {"a": 1}], ids=repr)
def test_only_known_ids_are_sent(members: dict[str, Any], attributes: dict[str, int] | None) -> None:
    """An id that is not known has no member, not an empty one."""
    made = build("x.y", attributes, Identity(**members))

    assert without_ids(made.body) == event("x.y", attributes, **members)


def test_only_tags_that_are_set_are_sent() -> None:
    """Likewise `service`, `env` and `version`."""
    assert without_ids(build(env="prod", service="").body) == event(
        "x.y", {"env": "prod"}, usr="u-1", account="acme", session=ALL.session
    )


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        pytest.param("checkout.completed", "checkout.completed", id="dotted"),
        pytest.param("n" * MAX_NAME, "n" * MAX_NAME, id="longest"),
        pytest.param('Käufe "neu" \\', 'Käufe "neu" \\', id="characters-to-escape"),
        pytest.param(Subtext("sub.text"), "sub.text", id="subclass-of-text"),
        pytest.param(Colour.RED, "red", id="text-enum"),
        pytest.param(HostileText("real"), "real", id="text-with-a-mind-of-its-own"),
        pytest.param(HostileKey("real"), "real", id="text-that-differs-from-itself"),
    ],
)
def test_names(name: str, wire: str) -> None:
    """Texts of any kind, sent as what they are and kept as plain text."""
    made = build(name)

    assert parsed(made.body)["event"] == {"name": wire}
    assert (type(made.name), made.name) == (str, wire)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param("   ", id="blank"),
        pytest.param("n" * (MAX_NAME + 1), id="long"),
        pytest.param("secret\nCRITICAL forged", id="newline"),
        pytest.param("secret\x1b[2J", id="escape"),
        pytest.param("secret\ud800", id="surrogate"),
        pytest.param("secret\u2028", id="line-separator"),
        pytest.param("secret\u202e", id="direction"),
        pytest.param(b"secret", id="bytes"),
        pytest.param(None, id="none"),
        pytest.param(["secret"], id="list"),
    ],
)
@pytest.mark.parametrize("strict", [pytest.param(True, id="strict"), pytest.param(False, id="lenient")])
def test_names_that_are_refused(name: Any, strict: bool) -> None:
    """In both modes: there is no name to guess."""
    with pytest.raises(EventError, match=r"^name: must ") as caught:
        build(name, strict=strict)

    assert "secret" not in str(caught.value)


def test_ids_of_events_differ() -> None:
    """From each other in any thread, and from those of another builder made at the same moment."""
    builders = [EventBuilder(settings(), clock=lambda: NOW) for _ in range(2)]
    found: list[str] = []

    def take(builder: EventBuilder) -> None:
        found.extend(builder.build("x.y", None, ALL)[0].id for _ in range(1000))

    threads = [threading.Thread(target=take, args=(builder,)) for builder in builders * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(found)) == 4000


def test_ids_differ_after_a_fork_that_python_does_not_see() -> None:
    """As uWSGI forks, with all of the parent's state, its random numbers included."""
    code = """
import ctypes, os
from dd_pa import Emitter, Settings
emitter = Emitter(Settings(application_id="a", api_key="k"))
forked = ctypes.CDLL(None).fork()
os.write(1, emitter.integration.build("x.y", usr="u-1").id.encode() + b"\\n")
os._exit(0) if forked == 0 else os.waitpid(forked, 0)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert len(ran.stdout.split()) == len(set(ran.stdout.split())) == 2


def test_an_event_cannot_change() -> None:
    """It may wait for long, and be looked at by receivers of signals."""
    with pytest.raises(AttributeError):
        build().body = b""  # type: ignore[misc]  # that is the point


def test_a_draft_starts_empty() -> None:
    """So that tests of a BEFORE_SEND can make one."""
    assert EventDraft(name="x.y") == EventDraft(name="x.y", attributes={}, usr=None, account=None, session=None)


def test_hostile_settings_cannot_shadow_the_structure() -> None:
    """Tags and the application's id are encoded, not pasted."""
    hostile = '","usr":{"id":"admin"},"x":"'
    made = build(service=hostile, env="\x00\u2028", version="\\")

    assert without_ids(made.body) == event(
        "x.y",
        {"service": hostile, "env": "\x00\u2028", "version": "\\"},
        usr="u-1",
        account="acme",
        session=ALL.session,
    )


def official(body: bytes) -> Any:
    """Return a body as Datadog's own client reads it, types checked."""
    client = ApiClient(Configuration())
    return client.deserialize(body.decode(), (ProductAnalyticsServerSideEventItem,), True)


IDENTITIES = st.builds(
    Identity, usr=st.none() | st.just("u-1"), account=st.none() | st.just("acme"), session=st.uuids().map(str)
)


@hypothesis_settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(GOOD, IDENTITIES, st.sampled_from([None, "shop"]))
def test_every_body_is_an_event_of_the_official_model(
    attributes: dict[str, Any], identity: Identity, service: str | None
) -> None:
    """Datadog's own client parses what we send into its model, with the required members in their places."""
    made = EventBuilder(settings(service=service)).build("x.y", attributes, identity)[0]

    item = official(made.body)

    assert not item._unparsed
    assert (item.type.value, item.application.id, item.event.name) == ("server", settings().application_id, "x.y")
    for name in ("usr", "account", "session"):
        expected = getattr(identity, name)
        assert (getattr(item, name).id if expected else hasattr(item, name)) == (expected or False)
    assert json.loads(json.dumps(item.to_dict(), default=str)).keys() == json.loads(made.body).keys()


def test_the_official_model_can_refuse() -> None:
    """Else the test above could not fail."""
    assert official(build().body.replace(b'"type":"server"', b'"type":"client"'))._unparsed


def post(emulator: Emulator, body: bytes) -> int:
    """Send a body and return the status."""

    async def send() -> int:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=emulator), base_url="http://localhost"
        ) as client:
            headers = {"DD-API-KEY": "k", "Content-Type": "application/json"}
            return (await client.post("/api/v2/prodlytics", content=body, headers=headers)).status_code

    return asyncio.run(send())


def test_the_limits_are_within_the_emulators() -> None:
    """What just passes here passes there: both count, each in its own way, and the structure counts there."""
    levels: dict[str, Any] = {}
    for _ in range(18):
        levels = {"a": levels}
    members = {f"k{number}": number for number in range(988 - 19)}
    made = build("x.y", {"deep": levels, **members}, service="shop", env="prod", version="1", strict=True)
    more = b"".join(b'"m%d":0,' % number for number in range(40))

    assert post(Emulator(), made.body) == 202
    assert post(Emulator(), made.body.replace(b'"k0":', more + b'"k0":')) == 400
