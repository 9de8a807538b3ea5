"""What docs/coming-from.md says in place of other libraries' calls gives the event that those would."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from datadog_api_client import Configuration

from dd_pa import Emitter, Settings
from dd_pa.emulator import Emulator
from dd_pa.signals import event_queued

PAGE = (Path(__file__).parents[1] / "docs/coming-from.md").read_text()
BLOCKS = dict(re.findall(r"<!-- test: ([\w -]+) -->\n```python\n(.*?)```", PAGE, flags=re.DOTALL))
EVENT = {
    "type": "server",
    "application": {"id": "shop"},
    "event": {"name": "order.placed"},
    "usr": {"id": "u-1"},
    "account": {"id": "acme"},
    "total": 89.5,
}


class Elsewhere:
    """Stands for the client of another vendor: remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def capture(self, name: str, **details: Any) -> None:
        self.told.append({"name": name, **details})

    def send(self, body: dict[str, Any]) -> None:
        self.told.append(body)


@pytest.fixture(scope="module")
def emulator() -> Emulator:
    return Emulator()


@pytest.fixture(scope="module")
def url(emulator: Emulator) -> Iterator[str]:
    with emulator.running() as url:
        yield url


@pytest.fixture
def names(emulator: Emulator, url: str) -> dict[str, Any]:
    """What the blocks take for granted."""
    emulator.clear()
    place = {"protocol": "http", "name": urlsplit(url).netloc}
    configuration = Configuration(server_index=1, server_variables=place, api_key={"apiKeyAuth": "k" * 32})
    return {
        "httpx": httpx,
        "intake": url,
        "api_key": "k" * 32,
        "configuration": configuration,
        "elsewhere": Elsewhere(),
        "emitter": Emitter(Settings(application_id="shop", api_key="k" * 32, intake_url=url, spool_dir=None)),
    }


def run(block: str, names: dict[str, Any]) -> None:
    exec(compile(BLOCKS[block], block, "exec"), names)  # noqa: S102 - the page's own
    names["emitter"].close(20)


def without_ours(event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key != "dd_pa"}


@pytest.mark.parametrize("block", sorted(name for name in BLOCKS if name not in ("both", "leaving")))
def test_each_way_gives_the_same_event(block: str, names: dict[str, Any], emulator: Emulator) -> None:
    """Before and after, whoever made it."""
    run(block, names)

    assert [without_ours(event) for event in emulator.events] == [EVENT]


def test_both_for_a_while(names: dict[str, Any], emulator: Emulator, url: str) -> None:
    """BEFORE_SEND tells the other library what is sent here too."""
    run("both", names)
    settings = Settings(
        application_id="shop", api_key="k", intake_url=url, before_send=names["before_send"], spool_dir=None
    )
    with Emitter(settings) as emitter:
        emitter.track("order.placed", {"total": 89.5}, usr="u-1", account="acme")

    assert names["elsewhere"].told == [{"name": "order.placed", "distinct_id": "u-1", "properties": {"total": 89.5}}]
    assert [without_ours(event) for event in emulator.events] == [EVENT]


def test_leaving(names: dict[str, Any], emulator: Emulator) -> None:
    """The signal has all of the event."""
    names["emitter"].track("not.forwarded", usr="u-1")
    exec(compile(BLOCKS["leaving"], "leaving", "exec"), names)  # noqa: S102 - the page's own
    try:
        names["emitter"].track("order.placed", {"total": 89.5}, usr="u-1", account="acme")
    finally:
        event_queued.disconnect(names["forward"])
        names["emitter"].close(20)

    assert [without_ours(event) for event in names["elsewhere"].told] == [EVENT]
