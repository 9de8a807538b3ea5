"""Filters of the Live page: one click away, in the address, in the chart."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.emulator import test_page
from tests.emulator.test_page import SESSION, Open, event, panel, rows, send

pytestmark = test_page.pytestmark
# Assigned, not imported: pytest finds fixtures among the names of a module.
browser, context, url, show = test_page.browser, test_page.context, test_page.url, test_page.show


@pytest.mark.parametrize(
    ("label", "term"),
    [
        pytest.param("checkout.started", "@event.name:checkout.started", id="name"),
        pytest.param("user 1", '@usr.id:"user 1"', id="user-quoted"),
        pytest.param("acme", "@account.id:acme", id="account"),
        pytest.param("Only this session", f"@session.id:{SESSION}", id="session"),
    ],
)
def test_who_and_what_filter_with_one_click(show: Open, url: str, label: str, term: str) -> None:
    """What the head of the panel names is a filter, written as the server reads it."""
    send(url, event(usr={"id": "user 1"}, account={"id": "acme"}, session={"id": SESSION}), event("cart.opened"))
    page = show("/?event=1")
    panel(page).get_by_role("button", name=label, exact=True).click()

    expect(page.get_by_role("searchbox")).to_have_value(term)
    expect(rows(page)).to_have_count(1)


def test_facets_add_and_exclude(show: Open, url: str) -> None:
    """Plus keeps only events with the value; minus takes its place and keeps the others."""
    send(url, event(plan="free tier"), event(plan="paid"))
    page = show("/?event=1&tab=facets")
    page.get_by_role("button", name="Only @plan free tier").click()
    expect(rows(page)).to_have_count(1)
    page.get_by_role("button", name="Not @plan free tier").click()

    expect(page.get_by_role("searchbox")).to_have_value('-@plan:"free tier"')
    expect(page.locator("#row-2")).to_be_visible()
    expect(rows(page)).to_have_count(1)


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("/?q=@event.name:checkout.*&status=rejected", id="search-and-status"),
        pytest.param("/?event=2&tab=facets", id="open-event"),
        pytest.param("/?from=4000000000000&to=4000000005000", id="time"),
    ],
)
def test_address_shows_the_same_again(show: Open, url: str, address: str) -> None:
    """Everything that changes what is seen is in the address; opening it leaves it as it is."""
    send(url, event(), event(), event(name=None), event("cart.opened"))
    first, second = show(address), show(address)
    for page in (first, second):
        page.locator(".found").wait_for()
        assert page.url == url + address

    expect(second.locator("main")).to_match_aria_snapshot(first.locator("main").aria_snapshot())


def test_bar_of_the_chart_is_a_time_filter(show: Open, url: str) -> None:
    """Dragging over the chart shows that time only; the chip takes it back, and so does the table for a minute."""
    send(url, event(), event())
    page = show()
    expect(rows(page)).to_have_count(2)
    box = page.locator(".plot").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 100, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 20)
    page.mouse.up()
    expect(page.get_by_text("No event matches")).to_be_visible()
    expect(page).to_have_url(re.compile(r"from=\d+&to=\d+"))
    page.get_by_role("button", name="show all times").click()
    expect(rows(page)).to_have_count(2)
    page.get_by_role("button", name="as table").click()
    page.get_by_role("button", name="Only ").last.click()

    expect(page.get_by_text("No event matches")).to_be_visible()
