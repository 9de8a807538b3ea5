"""The Sessions view and the timeline in a real browser, against a running emulator."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.emulator import browser as sdk
from tests.emulator import test_page
from tests.emulator.browser import SESSION
from tests.emulator.journey import TRACE_IN_HEX, Journey, buy
from tests.emulator.test_page import Open, event, resize, rows, send
from tests.emulator.test_page_look import HOSTILE, axe, overflowing

pytestmark = test_page.pytestmark
# Assigned, not imported: pytest finds fixtures among the names of a module.
browser, context, url, show = test_page.browser, test_page.context, test_page.url, test_page.show

ADDRESS = f"/sessions/{SESSION}"
Visit = Callable[..., Journey]


@pytest.fixture
def visit(url: str) -> Iterator[Visit]:
    """Send the visit of `buy` to the emulator."""
    made: list[Journey] = []

    def visit(**when: float) -> Journey:
        made.append(buy(url, **when))
        return made[-1]

    yield visit
    for journey in made:
        journey.close()


def told(page: Page) -> list[tuple[str, str, str]]:
    """The timeline as it reads: browser, time, server of each row; the word for the kind is heard, not seen."""
    return [
        (words(line, ".left .name"), words(line, ".when") or line.inner_text(), words(line, ".on-server .name"))
        for line in page.locator(".moments > li").all()
    ]


def words(line: Locator, part: str) -> str:
    texts = (" ".join(text.split()) for text in line.locator(part).all_text_contents())
    return " | ".join(re.sub(r"^(server event|page|action|error|request): ?", "", text) for text in texts)


def sessions(page: Page) -> Locator:
    return page.locator(".session-row")


def test_causes_and_effects_stand_in_one_row(show: Open, visit: Visit) -> None:
    """The page that was being loaded, the button whose form it was, the same trace; a job stands alone."""
    visit()
    page = show(ADDRESS)
    expect(page.locator(".moment-row")).to_have_count(8)

    assert told(page) == [
        ("/", "0:00.0", ""),
        ("click on “Running shoes”", "0:03.0", ""),
        ("/products/SHOE-44", "0:03.1", "product.viewed +50 ms"),
        ("click on “Sign in”", "0:09.0", "user.signed_in +200 ms"),
        ("/checkout", "0:09.0", "checkout.started +320 ms"),
        ("click on “Pay €89.00”", "0:20.0", "payment.failed +1.9 s"),
        ("TypeError: no receipt", "0:22.0", ""),
        ("", "3m 40s without events", ""),
        ("", "4:02.0", "order.cancelled"),
    ]
    expect(page.locator(".on-server.failed")).to_contain_text("payment.code card_declined")
    expect(page.locator(".in-browser.failed")).to_contain_text("checkout.js:118 · source · unhandled")
    expect(page.locator(".on-server").last).to_contain_text("job orders.cancel, queue low")


def test_identity_is_said_where_it_appears(show: Open, visit: Visit) -> None:
    """By the event of the sign-in, though the page after it began to load earlier; and where it ends."""
    journey = visit()
    journey.page(300_000, "/signed-out")
    page = show(ADDRESS)

    expect(page.locator(".appears")).to_have_text(["usr.id appears: user-12345", "account.id appears: acme"])
    expect(page.locator(".on-server", has_text="user.signed_in").locator(".appears")).to_have_count(2)
    expect(page.locator(".gone-id")).to_have_text("usr.id is gone: nobody is signed in")
    expect(page.locator(".in-browser", has_text="/signed-out").locator(".gone-id")).to_have_count(1)


def test_two_sites_in_one_session_are_told_apart(show: Open, visit: Visit) -> None:
    """Paths and events look alike on both: host and service are said as soon as there are two."""
    journey = visit()
    page = show(ADDRESS)
    expect(page.locator(".moment-row")).to_have_count(8)
    before = page.locator(".moments").inner_text()
    journey.page(300_000, "/", host="http://plans.test")
    journey.server(300_010, "plan.viewed", service="plans")
    expect(page.locator(".moment-row")).to_have_count(9)

    assert "shop.test" not in before
    expect(page.locator(".moment-row").last).to_contain_text("plans.test · stayed 2.0 s")
    expect(page.locator(".moment-row").last.locator(".on-server .facts")).to_have_text("plans")


def test_a_click_explains_one_page_load(show: Open, url: str) -> None:
    """What was typed a moment after a click, here or on the other site, is an effect of nothing."""
    journey = Journey(url)
    journey.page(0, "/")
    journey.click(5_000, "Add to cart")
    journey.page(5_100, "/cart")
    journey.server(5_120, "cart.item_added")
    journey.page(5_500, "/orders")
    journey.server(5_520, "orders.seen")
    journey.click(20_000, "Help")
    journey.page(20_400, "/plans", host="http://plans.test")
    journey.server(20_420, "plan.viewed")
    journey.close()
    page = show(ADDRESS)
    expect(page.locator(".moment-row")).to_have_count(6)

    assert told(page) == [
        ("/", "0:00.0", ""),
        ("click on “Add to cart”", "0:05.0", "cart.item_added +120 ms"),
        ("/cart", "0:05.1", ""),
        ("/orders", "0:05.5", "orders.seen +20 ms"),
        ("click on “Help”", "0:20.0", ""),
        ("/plans", "0:20.4", "plan.viewed +20 ms"),
    ]


def test_head_tells_whose_session_it_is(show: Open, visit: Visit) -> None:
    """Ids, machine and figures; each id can be copied whole, and so can a trace."""
    visit()
    page = show(ADDRESS)
    head = page.locator(".session-title")
    for text in ("user-12345", "acme", "Chrome 140", "Linux", "browser-rum 7.16.2", SESSION[:8]):
        expect(head).to_contain_text(text)
    copied = []
    for name in ("Copy session id", "Copy user id", "Copy account id"):
        page.get_by_role("button", name=name).click()
        expect(page.get_by_role("status")).to_have_text(f"{name[5:]} copied")
        copied.append(page.evaluate("navigator.clipboard.readText()"))
    page.get_by_role("button", name="trace").first.click()
    expect(page.get_by_role("status")).to_have_text("trace id copied")

    assert copied == [SESSION, "user-12345", "acme"]
    assert page.evaluate("navigator.clipboard.readText()") == TRACE_IN_HEX
    assert head.locator(".figure").all_inner_texts() == ["4m 02s\nduration", "3\nviews", "5\nserver events", "1\nerror"]


def test_a_person_is_followed_over_sessions(show: Open, url: str) -> None:
    """From one to the one before and after it, and to the list of all; nobody else's is among them."""
    now = int(time.time() * 1000)
    ids = [f"7f150524-34b9-45df-9e77-69b10f4205b{number}" for number in range(4)]
    users = ["user-1", "user-1", "somebody", "user-1"]
    lines = [
        sdk.line(
            "action", now - 60_000 * (9 - number), session={"id": one}, usr={"id": user}, action={"id": f"a{number}"}
        )
        for number, (one, user) in enumerate(zip(ids, users, strict=True))
    ]
    with httpx.Client(base_url=url, timeout=20) as http:
        sdk.send(http, *lines)
    page = show(f"/sessions/{ids[1]}")
    trail = page.get_by_role("navigation", name="Sessions of the same person")
    expect(trail).to_contain_text("Session 2 of 3 of user-1")
    trail.get_by_role("link", name="Later").click()
    expect(page).to_have_url(re.compile(ids[3]))
    expect(trail).to_contain_text("Session 3 of 3 of user-1")
    expect(trail.get_by_role("link", name="Later")).to_have_count(0)
    trail.get_by_role("link", name="3 of user-1").click()
    expect(sessions(page)).to_have_count(3)


def test_kinds_are_switched_and_stand_in_the_address(show: Open, visit: Visit, url: str) -> None:
    """An effect whose cause is switched off stands alone; the address opens the same view again."""
    visit()
    page = show(ADDRESS)
    for name in ("Pages", "Actions", "Errors"):
        page.get_by_role("button", name=name).click()
    page.get_by_role("button", name="Requests").click()
    expect(page).to_have_url(f"{url}{ADDRESS}?kinds=request,server")
    seen = told(page)
    page.reload()
    expect(page.locator(".moment-row")).to_have_count(7)

    assert told(page) == seen
    assert ("POST /api/pay", "0:20.0", "") in seen
    assert ("", "0:03.1", "product.viewed") in seen


def test_moment_is_in_the_address(show: Open, visit: Visit, url: str) -> None:
    """A click on a time points at it; the address, and a click in the overview, go to that row."""
    visit()
    page = show(f"{ADDRESS}?at=242")
    expect(page.locator(".moment-row.pointed")).to_contain_text("order.cancelled")
    expect(page.locator(".moment-row.pointed")).to_be_in_viewport()
    page.locator(".when", has_text="0:20.0").click()
    expect(page).to_have_url(f"{url}{ADDRESS}?at=20")
    expect(page.locator(".moment-row.pointed")).to_contain_text("Pay €89.00")
    page.locator(".map-plot").click(position={"x": 2, "y": 10})

    expect(page).to_have_url(f"{url}{ADDRESS}?at=0")


def test_timeline_grows_while_it_is_looked_at(show: Open, visit: Visit) -> None:
    """Events appear by themselves, in their place, and the reader's place is kept."""
    journey = visit(ago=30)
    page = show(ADDRESS)
    expect(page.locator(".moment-row")).to_have_count(8)
    before = page.locator("main").evaluate("main => { main.scrollTop = 100; return main.scrollTop; }")
    journey.server(22_400, "receipt.requested")
    expect(page.locator(".moment-row")).to_have_count(9)

    assert [row[2] for row in told(page)][-3:] == ["receipt.requested", "", "order.cancelled"]
    assert page.locator("main").evaluate("main => main.scrollTop") == before > 0


def test_list_is_live_and_newest_first(show: Open, visit: Visit, url: str) -> None:
    """A visit is listed as it goes on: who, how long, what, where."""
    page = show("/sessions")
    expect(page.get_by_text("No session yet")).to_be_visible()
    visit()
    expect(sessions(page)).to_have_count(1)
    send(url, event("invoice.sent", session={"id": "11111111-1111-4111-8111-111111111111"}))
    expect(sessions(page)).to_have_count(2)

    expect(sessions(page).first).to_contain_text("no page, server only")
    row = sessions(page).last
    for text in (SESSION[:8], "user-12345 · acme", "4m 02s", "/checkout"):
        expect(row).to_contain_text(text)
    assert row.locator(".count").all_inner_texts() == ["3\npages", "3\nactions", "1\nerrors", "5\nserver events"]


def test_list_is_searched(show: Open, visit: Visit, url: str) -> None:
    """By the server's one grammar, over the events of each session; a bad search leaves what is shown."""
    visit()
    send(url, event("invoice.sent", session={"id": "11111111-1111-4111-8111-111111111111"}))
    page = show("/sessions?q=@event.name:payment.failed")
    expect(sessions(page)).to_have_count(1)
    box = page.get_by_role("searchbox")
    box.fill("@a:(b")
    expect(page.get_by_role("alert")).to_contain_text("Column 6: something is missing")
    expect(sessions(page)).to_have_count(1)
    box.fill("nobody")
    expect(page.get_by_text("No session matches")).to_be_visible()
    page.get_by_role("button", name="Clear the search").click()

    expect(sessions(page)).to_have_count(2)
    expect(page).to_have_url(f"{url}/sessions")


def test_views_go_by_keyboard_and_keep_their_filters(show: Open, visit: Visit, url: str) -> None:
    """Number keys change the view, j and Enter open a session, Esc goes back; Live keeps its filters."""
    visit()
    page = show("/?status=accepted")
    press = page.keyboard.press
    expect(rows(page).first).to_be_visible()
    press("2")
    expect(page).to_have_url(f"{url}/sessions")
    expect(sessions(page)).to_have_count(1)
    press("j")
    press("Enter")
    expect(page).to_have_url(f"{url}{ADDRESS}")
    expect(page.locator(".moment-row")).to_have_count(8)
    press("j")
    expect(page.locator(".on-server a").first).to_be_focused()
    press("Escape")
    expect(page).to_have_url(f"{url}/sessions")
    press("?")
    expect(page.get_by_role("dialog")).to_contain_text("back to the list")
    press("Escape")
    press("1")

    expect(page).to_have_url(f"{url}/?status=accepted")


def test_event_and_timeline_lead_to_each_other(show: Open, visit: Visit, url: str) -> None:
    """From a server's event to its row in Live, from there to the timeline, and back again by the browser."""
    visit()
    page = show(ADDRESS)
    page.get_by_role("link", name="payment.failed").click()
    expect(page.get_by_role("heading", name="payment.failed")).to_be_visible()
    page.get_by_role("link", name="Open timeline").click()
    expect(page).to_have_url(f"{url}{ADDRESS}")
    expect(page.locator(".moment-row")).to_have_count(8)
    page.go_back()
    expect(page.get_by_role("heading", name="payment.failed")).to_be_visible()
    page.go_back()

    expect(page).to_have_url(f"{url}{ADDRESS}")


def test_unknown_session_says_so(show: Open) -> None:
    """A link to what is no longer kept."""
    page = show("/sessions/nobody%20knows%2F")

    expect(page.get_by_text("No longer kept")).to_be_visible()


@pytest.mark.parametrize(
    ("theme", "width"),
    [
        pytest.param("light", 1440, id="light"),
        pytest.param("dark", 1440, id="dark"),
        pytest.param("dark", 390, id="dark-narrow"),
    ],
)
def test_no_accessibility_finding(show: Open, visit: Visit, url: str, theme: str, width: int) -> None:
    """axe-core finds nothing of WCAG 2.2 A or AA in the empty list, the list and the timeline with all its kinds."""
    page = show("/sessions", width=width, theme=theme)
    page.get_by_text("No session yet").wait_for()
    findings = axe(page)
    visit()
    sessions(page).first.wait_for()
    findings += axe(page)
    page.goto(f"{url}{ADDRESS}?kinds=page,action,error,request,task,server&at=20")
    page.locator(".moment-row.pointed").wait_for()

    assert findings + axe(page) == []


def test_no_width_scrolls_sideways(show: Open, visit: Visit) -> None:
    """List and timeline fit, with ids and names that are long."""
    journey = visit()
    journey.server(30_000, f"{'long' * 60}.happened", usr={"id": "u" * 200}, **{"k" * 90: "v" * 300})
    cut = []
    for address, part in (("/sessions", ".session-row"), (ADDRESS, ".moment-row")):
        page = show(address)
        page.locator(part).first.wait_for()
        for width in (320, 390, 768, 1440, 2560):
            resize(page, width)
            cut += [f"{width}: {element}" for element in overflowing(page) + wide(page)]

    assert cut == []


def wide(page: Page) -> list[str]:
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("main, main *")]
            .filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5
                || e.matches("main") && e.scrollWidth > e.clientWidth)
            .map((e) => e.outerHTML.slice(0, 80))"""
    )
    return found


def test_hostile_text_stays_text(show: Open, url: str) -> None:
    """Markup in a page's name, a click, an error, an id or an attribute is shown, never run."""
    journey = Journey(url)
    journey.page(0, "/", usr={"id": HOSTILE}, account={"id": HOSTILE})
    journey.click(1_000, HOSTILE)
    journey.error(1_500, HOSTILE)
    journey.server(1_600, HOSTILE, usr={"id": HOSTILE}, **{HOSTILE: {HOSTILE: HOSTILE}})
    journey.close()
    page = show("/sessions")
    expect(sessions(page)).to_contain_text(HOSTILE)
    sessions(page).click()

    expect(page.locator(".in-browser .name").nth(1)).to_contain_text(f"click on “{HOSTILE}”")
    expect(page.locator(".on-server")).to_contain_text(f"{HOSTILE}.{HOSTILE}")
    expect(page.locator("img, #app script")).to_have_count(0)


def test_a_session_of_thousands_of_events(show: Open, url: str) -> None:
    """Only what is near the part that is seen is in the document, and every part can be reached."""
    start = int(time.time() * 1000) - 3_000_000
    with httpx.Client(base_url=url, timeout=60) as http:
        for batch in range(4):
            lines = [
                sdk.line(
                    "action",
                    start + n * 500,
                    action={"id": f"a-{n}", "type": "click", "target": {"name": f"click {n}"}},
                )
                for n in range(batch * 1200, (batch + 1) * 1200)
            ]
            assert sdk.send(http, *lines).status_code == 202
    page = show(f"/sessions/{SESSION}")
    expect(page.get_by_text("“click 0”")).to_be_visible()
    assert page.evaluate("document.getElementsByTagName('*').length") < 6_000

    page.locator("main").evaluate("main => (main.scrollTop = 60_000)")
    expect(page.get_by_text("“click 0”")).not_to_be_attached()
    page.goto(f"{url}/sessions/{SESSION}?at=2399")
    expect(page.locator(".moment-row.pointed")).to_contain_text("click 4799")
    expect(page.locator(".moment-row.pointed")).to_be_in_viewport()
    page.goto(f"{url}/sessions/{SESSION}?at=1200")
    expect(page.locator(".moment-row.pointed")).to_contain_text("click 2401")
    expect(page.locator(".moment-row.pointed")).to_be_in_viewport()
    assert page.evaluate("document.getElementsByTagName('*').length") < 8_000
