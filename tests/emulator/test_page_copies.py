"""What a report is copied as: each runs as it stands, and gives the numbers of the page."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from click.testing import CliRunner
from datadog_api_client.v1 import ApiClient, Configuration
from playwright.sync_api import Page, expect

from dd_pa.cli.query import command
from tests.emulator import test_page
from tests.emulator.test_page import Open
from tests.emulator.test_page_reports import ADDED, FUNNEL, PAID, VIEWED, shop

pytestmark = test_page.pytestmark
browser, context, url, show = test_page.browser, test_page.context, test_page.url, test_page.show
__all__ = ["shop"]


def copies(page: Page) -> dict[str, str]:
    """What the dialog offers, by name."""
    page.get_by_role("button", name="Copy as …").click()
    group = page.get_by_role("group", name="Copy as")
    found = {}
    for name in group.get_by_role("button").all_inner_texts():
        group.get_by_role("button", name=name, exact=True).click()
        expect(page.get_by_role("button", name=f"Copy {name}", exact=True)).to_be_visible()
        found[name] = page.locator(".copies-text").inner_text()
    return found


def widget(text: str) -> Any:
    """A widget as Datadog's own client reads it."""
    from datadog_api_client.v1.model.retention_search import RetentionSearch  # noqa: PLC0415 - heavy
    from datadog_api_client.v1.model.widget import Widget  # noqa: PLC0415

    whole = json.loads(text)
    [request] = whole["definition"]["requests"]
    # It never understands the aggregation of a retention, which is to be exactly one of two kinds of text.
    told, model = (whole, Widget) if "retention" not in text else (request["query"]["search"], RetentionSearch)
    with ApiClient(Configuration()) as client:
        return client.deserialize(json.dumps(told), [model], check_type=True)


@pytest.fixture
def environ(url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Settings of the environment: this emulator."""
    found = {"DD_PA_INTAKE_URL": url, "DD_PA_APPLICATION_ID": "shop", "DD_API_KEY": "a" * 32}
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


REPORTS = [
    ("/explore?last=24h&by=@plan&q=@type:server", [("free", 6), ("pro", 4)]),
    ("/explore?last=24h&by=-&of=distinct:@plan", [2]),
    (f"{FUNNEL}&facet=@plan", [5, 3, 2]),
    ("/retention?unit=day&last=24h", [5]),
    ("/paths?last=24h&q=@type:server", [VIEWED, ADDED, PAID]),
]


@pytest.mark.parametrize(("address", "numbers"), REPORTS, ids=["explore", "measure", "funnel", "retention", "paths"])
def test_what_a_report_is_copied_as(
    show: Open, shop: str, environ: dict[str, str], address: str, numbers: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Python prints them, the command too, the test holds, and the widget is one to Datadog's client."""
    page = show(address)
    found = copies(page)

    exec(found["Python"], {})  # noqa: S102 - it is what we wrote
    printed = capsys.readouterr().out
    words = shlex.split(found["dd-pa query"])
    ran = CliRunner().invoke(command, [*words[2:], "--json"], env=environ)
    assert (words[:2], ran.exit_code) == (["dd-pa", "query"], 0), ran.output
    for number in numbers:
        for part in number if isinstance(number, tuple) else (number,):
            assert str(part) in printed
            assert json.dumps(part) in ran.output
    if "pytest" in found:
        scope: dict[str, Any] = {}
        exec(found["pytest"], scope)  # noqa: S102
        [test] = [value for name, value in scope.items() if name.startswith("test_")]
        if "emulator" not in test.__code__.co_varnames:
            test()
    assert not widget(found["Dashboard widget"])._unparsed
