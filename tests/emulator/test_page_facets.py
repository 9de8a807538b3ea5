"""The values of a facet, and the terms of a search as chips: filters by a click, in every view with a search."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.emulator import test_page
from tests.emulator.test_page import Open
from tests.emulator.test_page_look import axe
from tests.emulator.test_page_reports import ADDED, PAID, VIEWED, shop

pytestmark = test_page.pytestmark
browser, context, url, show = test_page.browser, test_page.context, test_page.url, test_page.show
__all__ = ["shop"]


def values(page: Page) -> list[list[str]]:
    """Value and number of each row of the dialog."""
    rows = page.locator("dialog .legend tbody tr")
    rows.first.wait_for()
    return [row.locator("th, td").all_inner_texts()[:2] for row in rows.all()]


@pytest.mark.parametrize("address", ["/", "/explore?last=1h", "/sessions"])
def test_values_of_a_facet_are_filters(show: Open, shop: str, address: str) -> None:
    """Counted among the events of the search; plus adds one, minus excludes it, a chip takes it away."""
    page = show(address)
    page.get_by_role("button", name="Facets", exact=True).click()
    assert values(page) == [[VIEWED, "5"], [ADDED, "3"], [PAID, "2"]]
    page.get_by_role("button", name=f"Not @event.name {VIEWED}").click()
    expect(page.locator("dialog .legend tbody tr")).to_have_count(2)
    page.get_by_label("Facet", exact=True).last.fill("plan")
    page.get_by_label("Facet", exact=True).last.press("Enter")
    expect(page.locator("dialog .legend tbody th").first).to_have_text("free")
    assert values(page) == [["free", "3"], ["pro", "2"]]
    page.get_by_role("button", name="Only @plan pro").click()
    expect(page.locator("dialog .legend tbody tr")).to_have_count(1)
    assert axe(page) == []
    page.keyboard.press("Escape")

    expect(page.get_by_role("searchbox")).to_have_value(f"-@event.name:{VIEWED} @plan:pro")
    page.get_by_role("button", name=f"Remove -@event.name:{VIEWED}").click()
    expect(page.get_by_role("searchbox")).to_have_value("@plan:pro")


TERMS = {
    '@a:"x y" -@b:(c OR d) word': ['@a:"x y"', "-@b:(c OR d)", "word"],
    r"@a:x\ y @b:[1 TO 5]": [r"@a:x\ y", "@b:[1 TO 5]"],
    '@a:"<img src=x onerror=alert(1)>"': ['@a:"<img src=x onerror=alert(1)>"'],
    "@a:1 OR @b:2": [],
    "NOT @a:1": [],
    "word another": [],
    '@a:"open': [],
}


def test_terms_as_chips(show: Open, url: str) -> None:
    """Only where all of them must hold, as they are written."""
    page = show("/explore")
    for q, terms in TERMS.items():
        page.get_by_role("searchbox").fill(q)
        page.get_by_role("searchbox").press("Enter")
        expect(page.locator(".term-chip")).to_have_text(terms)


def test_a_facet_without_events_and_a_broken_search(show: Open, shop: str) -> None:
    page = show("/explore?last=1h&q=@event.name:(")
    page.get_by_role("button", name="Facets", exact=True).click()
    expect(page.locator("dialog").get_by_role("alert")).to_contain_text("query")
    page.keyboard.press("Escape")
    page.get_by_role("searchbox").fill("@plan:none")
    page.get_by_role("searchbox").press("Enter")
    page.get_by_role("button", name="Facets", exact=True).click()
    expect(page.get_by_text("No event of this search")).to_be_visible()
