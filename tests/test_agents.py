"""What a coding agent learns of the emulator, over the protocol that it speaks."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import httpx2
import pytest
from click.testing import CliRunner
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from dd_pa import Emitter, Settings
from dd_pa.agents import EmulatorTools, make_server
from dd_pa.cli.emulator import agents
from dd_pa.cli.mcp import command
from dd_pa.emulator import Emulator
from tests.emulator.test_server import TOKEN, started

SECRET = "marked-person"
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
PLAN = {
    "version": 1,
    "events": [
        {
            "name": "cart.viewed",
            "description": "Somebody looks at what is in the cart.",
            "owner": "shop",
            "source": "shop.events.CartViewed",
            "fields": {"plan": {"types": [{"kind": "integer"}], "description": "What was bought before."}},
        },
        {"name": "cart.emptied"},
    ],
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    emulator = Emulator()
    with emulator.running() as url:
        emulator.agents = agents(url, None)
        settings = Settings(application_id="shop", api_key="k" * 32, intake_url=url, spool_dir=None)
        with Emitter(settings) as emitter:
            for usr in (SECRET, "u-2"):
                emitter.track("cart.viewed", {"plan": "pro"}, usr=usr)
                assert emitter.flush(20)
            emitter.track("checkout.completed", {"email": SECRET}, usr=SECRET)
        httpx.post(f"{url}/api/v2/prodlytics", headers={"dd-api-key": "k"}, json={"type": "server"})
        drop = {"reason": "unlinked", "name": "report.viewed", "count": 2}
        httpx.post(f"{url}/api/emulator/drops", json={"drops": [drop]})
        told = {"key": "shop", "service": "shop", "plan": PLAN}
        httpx.post(f"{url}/api/emulator/plan", json=told).raise_for_status()
        yield url


def call(url: str, tool: str, *, over: Any = None, **arguments: Any) -> Any:
    """Call a tool, in this process or over another way in."""

    async def called() -> Any:
        async with Client(over or make_server(EmulatorTools(url))) as client:
            answer = await client.call_tool(tool, arguments)
            text = "\n".join(part.text for part in answer.content if part.type == "text")
            if answer.is_error:
                return text
            found = answer.structured_content
            return found["result"] if found is not None and set(found) == {"result"} else found

    return asyncio.run(called())


def test_events_are_listed_without_anybody(url: str) -> None:
    """Names, kinds of links, names of attributes and reasons; no id and no value."""
    found = call(url, "search_events")

    assert SECRET not in json.dumps(found)
    assert [event["name"] for event in found["events"]] == [None, "checkout.completed", "cart.viewed", "cart.viewed"]
    assert found["events"][1]["linked_to"] == ["usr"]
    assert found["events"][1]["attributes"] == ["email"]
    assert found["events"][0]["rejected_because"] == "application.id is missing"


def test_values_are_told_when_asked_for(url: str) -> None:
    """A search narrows the list."""
    [event] = call(url, "search_events", query="@event.name:checkout.*", show_values=True)["events"]

    assert (event["linked_to"], event["attributes"]) == ({"usr": SECRET}, {"email": SECRET})


def test_what_was_dropped_says_what_to_do(url: str) -> None:
    [drop] = call(url, "get_dropped_events")["drops"]

    assert (drop["name"], drop["reason"], drop["count"], bool(drop["fix"])) == ("report.viewed", "unlinked", 2, True)


def test_queries(url: str) -> None:
    """Counts, by a facet, and a funnel."""
    assert call(url, "aggregate_events", name="cart.viewed", by="@plan") == [{"@plan": "pro", "value": 2}]
    assert {row["@event.name"]: row["value"] for row in call(url, "list_event_names")} == {
        "cart.viewed": 2,
        "checkout.completed": 1,
    }
    steps = call(url, "get_funnel", steps=["cart.viewed", "checkout.completed"])["steps"]
    assert [step["value"] for step in steps] == [2, 1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [({"query": "@event.name:("}, "something is missing"), ({"query": "a" * 5, "limit": 10_000}, None)],
)
def test_bad_searches_and_large_limits(url: str, arguments: dict[str, Any], says: str | None) -> None:
    """What is not understood is said; no answer is larger than it may be."""
    found = call(url, "search_events", **arguments)

    assert says in found if says else len(found["events"]) <= 50


def test_without_an_emulator() -> None:
    """The answer says how to start it."""
    assert "dd-pa emulator" in call("http://127.0.0.1:9", "get_dropped_events")


def test_every_tool_reads_only(url: str) -> None:
    """And says so to the agent."""

    async def listed() -> Any:
        async with Client(make_server(EmulatorTools(url))) as client:
            return (await client.list_tools()).tools

    tools = asyncio.run(listed())
    assert len(tools) == 6
    assert all(tool.annotations is not None and tool.annotations.read_only_hint for tool in tools)


def test_the_command_speaks_over_pipes(url: str) -> None:
    """As an agent starts it."""

    async def dropped() -> Any:
        program = "from dd_pa.cli.mcp import command; command()"
        server = StdioServerParameters(command=sys.executable, args=["-c", program, "--url", url], env=dict(os.environ))
        async with Client(server) as client:
            return await client.call_tool("get_dropped_events", {})

    assert "report.viewed" in str(asyncio.run(dropped()).content)


def test_what_is_declared(url: str) -> None:
    """Each event in short, those that nobody declared, and what the plan says of one."""
    found = call(url, "get_tracking_plan")

    assert [(event["name"], event["count"], event.get("off_plan")) for event in found["events"]] == [
        ("cart.emptied", 0, None),
        ("cart.viewed", 2, 2),
    ]
    assert [event["name"] for event in found["undeclared"]] == ["checkout.completed"]
    assert [event["name"] for event in call(url, "get_tracking_plan", name="cart.v")["events"]] == ["cart.viewed"]
    event = call(url, "get_tracking_plan", name="cart.viewed")["event"]
    assert (event["owner"], event["class"]) == ("shop", "shop.events.CartViewed")
    assert [(field["path"], field["types"]) for field in event["fields"]] == [("plan", "a whole number")]


def test_what_differed_is_told_when_asked_for(url: str) -> None:
    """Its words repeat values, which may be personal."""
    assert "'pro'" not in json.dumps(call(url, "get_tracking_plan", name="cart.viewed"))
    event = call(url, "get_tracking_plan", name="cart.viewed", show_values=True)["event"]
    assert event["problems"] == [["plan is 'pro', and not a whole number", 2]]


def test_no_plan_says_how_there_would_be_one() -> None:
    with Emulator().running() as url:
        found = call(url, "get_tracking_plan")

    assert (found["events"], "declare events" in found["why_empty"]) == ([], True)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("search_events", {"show_values": True}),
        ("get_dropped_events", {}),
        ("get_tracking_plan", {"name": "cart.viewed"}),
        ("get_funnel", {"steps": ["cart.viewed"]}),
    ],
)
def test_http_answers_the_same(url: str, tool: str, arguments: dict[str, Any]) -> None:
    """Also what went wrong."""
    assert call(url, tool, over=f"{url}/mcp", **arguments) == call(url, tool, **arguments)


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"Origin": "https://evil.example"}, "other web pages"),
        ({"Host": "evil.example"}, "is not a name of this emulator"),
        ({"Sec-Fetch-Site": "cross-site"}, "other web pages"),
    ],
)
def test_http_is_closed_to_web_pages(url: str, headers: dict[str, str], says: str) -> None:
    """As all that the emulator shows."""
    answer = httpx.post(f"{url}/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, headers=headers)

    assert (answer.status_code, says in answer.text) == (403, True)


def test_http_takes_no_large_questions_and_no_other_methods(url: str) -> None:
    assert httpx.post(f"{url}/mcp", content=b"[" * 300_000, headers=JSON).status_code == 413
    assert httpx.get(f"{url}/mcp", headers=JSON).status_code == 405


async def names_over_http(url: str, headers: dict[str, str]) -> Any:
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
    ):
        return (await client.call_tool("list_event_names", {})).structured_content


def test_the_command_answers_over_http_to_who_knows_the_token() -> None:
    """Whatever it listens to on this machine; others find nothing there."""
    with started("--token", TOKEN) as (_, address):
        url = address.partition("/?")[0]
        found = asyncio.run(names_over_http(url, {"Authorization": f"Bearer {TOKEN}"}))
        refused = httpx.post(f"{url}/mcp", json={})
        without = call(url, "get_dropped_events")

    assert found == {"result": []}
    assert refused.status_code == 401
    assert "--token" in without


def test_the_command_takes_certain_keys_only_and_answers_all_the_same() -> None:
    """Its own agents ask with one of them."""
    with started("--api-key", "0123456789abcdef") as (_, address):
        found = asyncio.run(names_over_http(address.rstrip("/"), {}))

    assert found == {"result": []}


def test_without_the_extra_http_says_so() -> None:
    with Emulator().running() as url:
        answer = httpx.post(f"{url}/mcp", json={})

    assert (answer.status_code, "dd-pa[emulator,mcp]" in answer.text) == (404, True)


def test_other_machines_are_refused() -> None:
    """The tools are for a program under development."""
    result = CliRunner().invoke(command, ["--url", "https://intake.example.com"])

    assert (result.exit_code, "must be on this machine" in result.output) == (2, True)
