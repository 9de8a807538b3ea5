"""What a coding agent learns of the emulator, over the protocol that it speaks."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from mcp import Client, StdioServerParameters

from dd_pa import Emitter, Settings
from dd_pa.agents import EmulatorTools, make_server
from dd_pa.cli.mcp import command
from dd_pa.emulator import Emulator

SECRET = "marked-person"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Emulator().running() as url:
        settings = Settings(application_id="shop", api_key="k" * 32, intake_url=url, spool_dir=None)
        with Emitter(settings) as emitter:
            for usr in (SECRET, "u-2"):
                emitter.track("cart.viewed", {"plan": "pro"}, usr=usr)
                assert emitter.flush(20)
            emitter.track("checkout.completed", {"email": SECRET}, usr=SECRET)
        httpx.post(f"{url}/api/v2/prodlytics", headers={"dd-api-key": "k"}, json={"type": "server"})
        drop = {"reason": "unlinked", "name": "report.viewed", "count": 2}
        httpx.post(f"{url}/api/emulator/drops", json={"drops": [drop]})
        yield url


def call(url: str, tool: str, **arguments: Any) -> Any:
    async def called() -> Any:
        async with Client(make_server(EmulatorTools(url))) as client:
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
    assert len(tools) == 5
    assert all(tool.annotations is not None and tool.annotations.read_only_hint for tool in tools)


def test_the_command_speaks_over_pipes(url: str) -> None:
    """As an agent starts it."""

    async def dropped() -> Any:
        program = "from dd_pa.cli.mcp import command; command()"
        server = StdioServerParameters(command=sys.executable, args=["-c", program, "--url", url], env=dict(os.environ))
        async with Client(server) as client:
            return await client.call_tool("get_dropped_events", {})

    assert "report.viewed" in str(asyncio.run(dropped()).content)


def test_other_machines_are_refused() -> None:
    """The tools are for a program under development."""
    result = CliRunner().invoke(command, ["--url", "https://intake.example.com"])

    assert (result.exit_code, "must be on this machine" in result.output) == (2, True)
