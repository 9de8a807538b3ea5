"""Whose events a report counts, on the page: by a search, by a segment, and the people of a list kept as one."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.emulator import test_page
from tests.emulator.test_page import Open
from tests.emulator.test_page_copies import copies, widget
from tests.emulator.test_page_reports import ADDED, FUNNEL, PAID, VIEWED, legend, shop, stages

pytestmark = test_page.pytestmark
browser, context, url, show = test_page.browser, test_page.context, test_page.url, test_page.show
__all__ = ["shop"]


def keep(page: Page, name: str) -> None:
    """Give a name to those of the list, or of the search."""
    page.get_by_role("button", name="Keep as a segment").click()
    page.get_by_label("Name of the segment").fill(name)
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_only_those_who_match(show: Open, shop: str) -> None:
    """Of a search for users; the events behind a number are theirs, too."""
    page = show("/explore?last=1h")
    legend(page)
    page.get_by_label("People").select_option("users")
    page.get_by_label("Match").fill("user_id:(user-3 OR user-4)")
    page.get_by_label("Match").press("Enter")
    expect(page.locator(".legend tbody td").first).to_have_text("2")

    assert legend(page) == {VIEWED: 2, ADDED: 2, PAID: 2}
    page.get_by_role("button", name=ADDED).click()
    expect(page.locator(".row")).to_have_count(2)
    assert "user-3" in page.get_by_role("searchbox").input_value()


def test_who_left_is_kept_as_a_segment(show: Open, shop: str) -> None:
    """Every report counts it alone, or leaves it out; it goes when it is deleted."""
    page = show(f"{FUNNEL}&by=users&lost=1")
    page.locator(".people-table tbody tr").first.wait_for()
    keep(page, "Left early")
    page.get_by_label("People").select_option("segment")
    expect(page.locator(".stage dd").first).to_have_text("2")
    assert stages(page) == ["2", "0", "0"]
    expect(page).to_have_url(re.compile("who=segment:Left\\+early"))
    page.get_by_label("People").select_option("outside")
    expect(page.locator(".stage dd").first).to_have_text("3")

    for address, selector, text in (
        ("/retention?unit=day&last=24h", ".retention tbody tr:last-child td.size", "2"),
        ("/paths?last=1h", ".card-empty", "No session did one thing after another"),
    ):
        other = show(f"{address}&who=segment:left early")
        expect(other.locator(selector)).to_contain_text(text)
        other.close()
    page.get_by_role("button", name="Segments …").click()
    page.get_by_role("button", name="Delete Left early").click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("alert")).to_contain_text("is no segment")


def test_who_came_back_is_kept_and_a_search_too(show: Open, shop: str) -> None:
    page = show("/retention?unit=day&last=24h&who=accounts:account_id:acme")
    expect(page.locator(".retention tbody tr").last.locator("td.size")).to_have_text("5")
    keep(page, "acme")
    page.get_by_label("People").select_option("segment")

    expect(page.get_by_label("Segment", exact=True)).to_have_value("acme")
    expect(page.locator(".retention tbody tr").last.locator("td.size")).to_have_text("5")


def test_copies_say_whose_events(show: Open, shop: str) -> None:
    """In Python and in the widget; a command and a test, which cannot say it, are not offered."""
    said = {
        "/explore?last=24h": '.of(audience(users={"who": "user_id:user-3"})).count()',
        FUNNEL: '.joined_by("@session.id").of(audience(',
        "/retention?last=7d": '.of(audience(users={"who": "user_id:user-3"})).last(',
        "/paths?last=7d": ".size(steps=3, entries=5).of(audience(",
    }
    for address, words in said.items():
        page = show(f"{address}{'&' if '?' in address else '?'}who=users:user_id:user-3")
        found = copies(page)
        page.close()
        assert list(found) == ["Python", "Dashboard widget"]
        assert words in found["Python"]
        compile(found["Python"], "copied", "exec")
        assert '"user_id:user-3"' in found["Dashboard widget"]
        widget(found["Dashboard widget"])
