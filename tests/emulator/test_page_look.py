"""How the Live page looks and sounds: every state, width and theme, in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # ships no types
from playwright.sync_api import Page, expect

from tests.emulator import test_page
from tests.emulator.test_page import Open, event, panel, rows, send

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>'

pytestmark = test_page.pytestmark
# Assigned, not imported: pytest finds fixtures among the names of a module.
browser, context, url, show = test_page.browser, test_page.context, test_page.url, test_page.show


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_but_the_emulator_is_asked_and_csp_is_silent(show: Open, url: str, theme: str) -> None:
    """The context checks requests and messages; here every part of the page is drawn in both themes."""
    send(url, event(), event(name=7))
    page = show(theme=theme)
    rows(page).first.click()
    for tab in ("Facets", "Delivery", "Event"):
        page.get_by_role("tab", name=tab).click()
    page.get_by_role("button", name="as table").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("?")

    expect(page.get_by_role("heading", name="Keyboard")).to_be_visible()


@pytest.mark.parametrize(
    ("theme", "width"),
    [
        pytest.param("light", 1440, id="light"),
        pytest.param("dark", 1440, id="dark"),
        pytest.param("dark", 390, id="dark-narrow"),
    ],
)
def test_no_accessibility_finding(show: Open, url: str, theme: str, width: int) -> None:
    """axe-core finds nothing of WCAG 2.2 A or AA in the list and in each face of an open event."""
    send(url, event(), event(name=5), event("cart.opened", **{f"facet_{i}": i for i in range(20)}))
    page = show(width=width, theme=theme)
    findings = axe(page)
    rows(page).first.click()
    for tab in ("Event", "Facets", "Delivery"):
        page.get_by_role("tab", name=tab).click()
        findings += axe(page)
    page.goto(f"{url}/?event=2")
    page.locator(".offending").wait_for()

    assert findings + axe(page) == []


def axe(page: Page) -> list[str]:
    levels = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    found = Axe().run(page, options={"runOnly": levels}).response["violations"]
    return [f"{finding['id']}: {node['html']}" for finding in found for node in finding["nodes"]]


@pytest.mark.parametrize("width", [320, 390, 768, 1440, 2560])
def test_no_width_scrolls_sideways(show: Open, url: str, width: int) -> None:
    """List and panel fit; nothing that carries words ends outside the window."""
    send(url, event("checkout.completed", order={"id": "o-1", "total": 42.5}), event(name=1))
    page = show(width=width)
    rows(page).first.wait_for()
    cut = overflowing(page)
    rows(page).last.click()
    page.locator(".json-line").first.wait_for()

    assert cut + overflowing(page) == []


def overflowing(page: Page) -> list[str]:
    return cast(
        "list[str]",
        page.evaluate(
            """() => [...document.querySelectorAll("body, button, input, h1, h2, .cell, .chip, .detail, .scroll")]
                .filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5 || e.matches("body, .detail, .scroll")
                    && e.scrollWidth > e.clientWidth)
                .map((e) => e.outerHTML.slice(0, 80))"""
        ),
    )


@pytest.mark.parametrize(
    ("address", "words"),
    [
        pytest.param(
            "/", ["Waiting for the first event", "curl -X POST", "DD_PA = {", "app.config.update("], id="empty"
        ),
        pytest.param("/?q=nobody", ["No event matches", "All events kept here were searched"], id="no-match"),
        pytest.param("/?q=@a:(b", ["Column 6: something is missing", "checkout.started"], id="bad-search"),
        pytest.param("/?event=99", ["No longer kept", "No event has had this number"], id="gone"),
    ],
)
def test_each_state_says_what_is_and_what_to_do(
    show: Open, url: str, tmp_path: Path, address: str, words: list[str]
) -> None:
    """A state is words, not an empty list. The picture stays in the test's folder for those who want to look."""
    if address != "/":
        send(url, event())
    page = show(address)
    for text in words:
        expect(page.locator("main")).to_contain_text(text)

    page.screenshot(path=tmp_path / "state.png")


def test_large_event_is_drawn_in_parts(show: Open, url: str) -> None:
    """Of 900 KB in 900 lines no more is drawn than a screen or two has room for; the rest is a click away."""
    body = event("n" * 300, text="x" * 800_000, **{f"facet_{i}": "y" * 100 for i in range(900)})
    assert send(url, event("small.one"), body) == [202, 202]
    page = show()
    rows(page).first.click()
    page.locator(".json-line").first.wait_for()

    assert page.locator(".json-line").count() <= 150
    assert page.locator("#detail-body *").count() <= 4 * 150
    assert len(page.locator("#detail-body").inner_text()) < 30_000
    assert overflowing(page) == []
    page.get_by_role("button", name="798,002 more characters").click()
    assert len(page.locator("#detail-body").inner_text()) > 800_000


def test_hostile_text_stays_text(show: Open, url: str) -> None:
    """Markup in a name, an id, a key, a value or the address is shown, never run."""
    body = event(HOSTILE, usr={"id": HOSTILE}, **{f"k{HOSTILE}": HOSTILE})
    assert send(url, body) == [202]
    page = show(f"/?event=1&tab=facets&q={HOSTILE}")
    page.get_by_role("button", name="Clear filters").or_(page.locator(".problem")).first.wait_for()
    for tab in ("Event", "Delivery", "Facets"):
        page.get_by_role("tab", name=tab).click()

    expect(panel(page).get_by_role("heading", name=HOSTILE)).to_be_visible()
    expect(page.get_by_role("cell", name=f"@k{HOSTILE}", exact=True)).to_be_visible()
    expect(page.locator("img, #app script")).to_have_count(0)
