"""The Plan view, and the marks of events that are off the plan, in a real browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser, expect

from dd_pa.plan import lock_file
from dd_pa.plan.catalogue_page import page as catalogue_page
from tests.emulator import test_page
from tests.emulator.test_page import SESSION, Open, event, panel, rows, send
from tests.emulator.test_page_look import HOSTILE, axe
from tests.emulator.test_plan import GOOD, LOCK

pytestmark = test_page.pytestmark
browser, context, url, show = test_page.browser, test_page.context, test_page.url, test_page.show


def tell(url: str, name: str = "order.placed") -> None:
    plan = {**LOCK, "events": [{**LOCK["events"][0], "name": name, "description": HOSTILE}, LOCK["events"][1]]}
    httpx.post(f"{url}/api/emulator/plan", json={"key": "k", "service": "shop", "plan": plan}).raise_for_status()


def test_marks_and_catalogue(show: Open, url: str) -> None:
    """From a mark in the list, which comes when the plan is told, to what is wrong, to the catalogue and back."""
    off = event("order.placed", total="5", state="new", session={"id": SESSION})
    send(url, event("order.placed", **GOOD), off, event("order.sentt"), event("other.thing"))
    page = show()
    expect(rows(page)).to_have_count(4)
    expect(page.locator(".plan-mark")).to_have_count(0)
    tell(url)
    expect(page.locator(".plan-mark.off")).to_have_count(2)
    expect(page.locator(".plan-mark.undeclared")).to_have_count(1)

    rows(page).filter(has_text="off the plan: total is '5'").click()
    expect(panel(page)).to_contain_text("total is '5', and not a number")
    page.get_by_role("link", name="Open timeline").click()
    expect(page.locator(".on-server")).to_contain_text("total is '5', and not a number")

    page.keyboard.press("7")
    placed = page.get_by_role("button", name="order.placed")
    expect(placed).to_contain_text("1 off")
    expect(page.get_by_role("button", name="order.sent")).to_contain_text("never seen")
    expect(page.get_by_role("region", name="Events that are not on the plan")).to_contain_text("perhaps order.sent")
    placed.click()
    expect(page.get_by_role("region", name="Fields of order.placed")).to_contain_text("personal data")
    expect(page.get_by_role("button", name="Off the plan 1")).to_be_visible()
    page.get_by_role("button", name="Never seen 1").click()
    expect(placed).to_be_hidden()
    page.keyboard.press("Escape")
    page.get_by_role("searchbox").fill("sku")
    expect(page.get_by_role("button", name="order.sent")).to_be_hidden()
    placed.click()
    page.get_by_role("link", name="Show its events").click()
    expect(rows(page)).to_have_count(2)


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390)])
def test_no_accessibility_finding(
    browser: Browser, show: Open, url: str, theme: Literal["light", "dark"], width: int, tmp_path: Path
) -> None:
    """axe-core finds nothing, whatever is declared; not in the file that `dd-pa events catalogue` writes either."""
    page = show("/plan", width=width, theme=theme)
    expect(page.get_by_role("heading", name="No plan is known")).to_be_visible()
    findings = axe(page)
    tell(url, HOSTILE)
    send(url, event(HOSTILE, total=HOSTILE, state="new"), event("order.sentt"))
    page.get_by_role("button", name=HOSTILE).click()
    expect(page.get_by_role("heading", name="Not on the plan")).to_be_visible()
    findings += axe(page)
    page.goto(f"{url}/?event=1")
    expect(panel(page)).to_contain_text("Off the plan")
    findings += axe(page)
    (tmp_path / "lock").write_text(json.dumps(LOCK))
    plan = lock_file.read(tmp_path / "lock")
    assert plan is not None
    (tmp_path / "plan.html").write_text(catalogue_page(plan))
    still = browser.new_page(color_scheme=theme, viewport={"width": width, "height": 900})
    still.goto((tmp_path / "plan.html").as_uri())
    findings += axe(still)
    still.close()

    assert findings == []
