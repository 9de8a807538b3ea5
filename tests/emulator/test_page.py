"""The Live page in a real browser, against a running emulator."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from typing import Any, cast

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from dd_pa.emulator import Emulator

CHROMIUM = shutil.which("chromium")
QUIET = ["no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-sync"]
SESSION = "0b5c8a5e-6b1b-4b8e-9d53-2f3b6a0f4c11"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),  # beside others a browser takes a minute to begin
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt install chromium)"),
]
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        flags = [f"--{flag}" for flag in [*QUIET, "disable-component-update"]]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile of its own; at the end: no request left the host, no error and no CSP message was logged."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(60_000)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    requests: list[str] = []
    messages: list[str] = []
    context.on("request", lambda request: requests.append(request.url))
    context.on("console", lambda message: messages.append(message.text))
    context.on("weberror", lambda error: messages.append(str(error.error)))
    context.on("dialog", lambda dialog: messages.append(f"dialog {dialog.message}"))
    yield context
    context.close()

    assert [url for url in requests if not url.startswith("http://127.0.0.1:")] == []
    # A browser logs refused searches and lost connections by itself.
    assert [text for text in messages if not text.startswith("Failed to load resource")] == []


@pytest.fixture
def url() -> Iterator[str]:
    with Emulator().running() as url:
        yield url


@pytest.fixture
def show(context: BrowserContext, url: str) -> Open:
    """Open the page, by default at 1440 x 900, and wait until it is connected."""

    def show(address: str = "/", *, width: int = 1440, theme: str | None = None) -> Page:
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=cast("Any", theme))
        page.goto(url + address)
        expect(page.locator(".connection.live")).to_be_visible()
        return page

    return show


def resize(page: Page, width: int) -> None:
    """Give the window another width, and wait until what measures its own size has drawn itself again."""
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_function("width => innerWidth === width", arg=width)
    two_frames = "(drawn) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(drawn)))"
    page.evaluate(f"() => new Promise({two_frames})")


def event(name: object = "checkout.started", **attributes: Any) -> dict[str, Any]:
    fixed = {"type": "server", "application": {"id": "demo"}, "event": {"name": name}, "usr": {"id": "user-1"}}
    return {**fixed, **attributes}


def send(url: str, *bodies: object) -> list[int]:
    with httpx.Client(base_url=url, headers={"dd-api-key": "a" * 32}) as client:
        return [client.post("/api/v2/prodlytics", json=body).status_code for body in bodies]


def rows(page: Page) -> Locator:
    return page.get_by_role("option")


def names(page: Page) -> list[str]:
    return page.locator(".row .c-event").all_inner_texts()


def panel(page: Page) -> Locator:
    return page.get_by_role("region", name="Event", exact=True)


def test_events_are_pushed_into_the_page(show: Open, url: str, context: BrowserContext) -> None:
    """They come by the stream that is open: nothing is asked for, so nothing waits for a turn."""
    with context.expect_event("request", lambda request: "/older?" in request.url):  # the last one of its opening
        page = show()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for i in range(5):
        send(url, event(f"order.placed_{i}"))
        page.get_by_text(f"order.placed_{i}").wait_for()

    assert asked == []


def test_rejected_event_says_why(show: Open, url: str) -> None:
    """Status and reason stand in the row; the offending key is boxed and in view, however far down."""
    filler = {f"attribute_{i:03}": i for i in range(200)}
    assert send(url, {**filler, **event(name=42)}) == [400]
    page = show()

    expect(rows(page)).to_contain_text("400 event.name must be a string")
    rows(page).click()
    expect(page.locator(".offending")).to_have_text('"name": 42')
    expect(page.locator(".offending")).to_be_in_viewport()
    expect(panel(page)).to_contain_text("Why rejected: event.name must be a string")


def test_opening_an_event_never_moves_the_list(show: Open, url: str) -> None:
    """What comes while an event is open is counted by the pill, and shown when it is clicked."""
    send(url, *[event(f"page.viewed_{i}") for i in range(5)])
    page = show()
    row = rows(page).filter(has_text="page.viewed_3")
    before = row.bounding_box()
    row.click()
    send(url, event("late.one"), event("late.two"))
    pill = page.get_by_role("button", name="2 new")
    expect(pill).to_be_visible()

    after = row.bounding_box()
    assert before is not None
    assert after is not None
    assert (before["x"], before["y"], before["height"]) == (after["x"], after["y"], after["height"])
    pill.click()
    expect(rows(page).first).to_contain_text("late.two")


def test_row_that_is_pressed_is_the_one_that_opens(show: Open, url: str) -> None:
    """Events that come between press and release do not move the row away under the pointer."""
    send(url, event("older.one"), event("pressed.one"))
    page = show()
    rows(page).filter(has_text="pressed.one").hover()
    page.mouse.down()
    send(url, event("late.one"))
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    page.mouse.up()

    expect(panel(page).get_by_role("heading", name="pressed.one")).to_be_visible()
    expect(rows(page).first).to_contain_text("pressed.one")


def test_paused_nothing_moves_and_nothing_is_lost(show: Open, url: str) -> None:
    """Pause freezes the view, not the intake."""
    send(url, event("before.pause"))
    page = show()
    page.get_by_role("button", name="Pause").click()
    send(url, *[event(f"while.paused_{i}") for i in range(12)])
    expect(page.get_by_role("button", name="12 new")).to_be_visible()

    assert names(page) == ["before.pause"]
    expect(page.locator(".connection")).to_have_text("Paused")
    page.get_by_role("button", name="Resume").click()
    expect(rows(page)).to_have_count(13)


def test_restarted_emulator_is_noticed(context: BrowserContext) -> None:
    """Another boot: the banner, then an empty list that says why, and new events again."""
    page = context.new_page()
    with Emulator().running() as url:
        send(url, event("first.life"))
        page.goto(url)
        expect(rows(page)).to_have_count(1)
    expect(page.get_by_text("Connection lost.")).to_be_visible()
    expect(rows(page)).to_have_count(1)
    with Emulator().running(int(url.rpartition(":")[2])):
        expect(page.get_by_text("The emulator was restarted.")).to_be_visible()
        expect(rows(page)).to_have_count(0)
        send(url, event("second.life"))
        expect(rows(page)).to_have_text(re.compile("second.life"))


def test_missed_events_come_after_a_lost_connection(context: BrowserContext) -> None:
    """The same emulator, out of reach for a while: what was missed comes in once, in order."""
    emulator = Emulator()
    page = context.new_page()
    with emulator.running() as url:
        send(url, event("seen.before"))
        page.goto(url)
        expect(rows(page)).to_have_count(1)
    expect(page.locator(".connection.lost")).to_be_visible()
    with emulator.running() as elsewhere:
        send(elsewhere, event("missed.one"), event("missed.two"))
    with emulator.running(int(url.rpartition(":")[2])):
        expect(page.locator(".connection.live")).to_be_visible()
        expect(rows(page)).to_have_count(3)

    assert names(page) == ["missed.two", "missed.one", "seen.before"]


def test_back_closes_the_panel_then_leaves(show: Open, url: str) -> None:
    """Opening an event adds one step to the history, walking on from it none."""
    send(url, event(), event())
    page = show("/?status=accepted")
    rows(page).first.click()
    expect(panel(page)).to_be_visible()
    page.keyboard.press("j")
    expect(page).to_have_url(re.compile("event=1"))
    page.go_back()
    expect(panel(page)).to_have_count(0)
    expect(page).to_have_url(f"{url}/?status=accepted")
    page.go_back()

    expect(page).to_have_url("about:blank")


def test_list_and_panel_go_by_keyboard(show: Open, url: str) -> None:
    """j, k and the arrows walk, Enter opens, s narrows to the session, Esc closes and then clears."""
    send(url, event("one"), event("two", session={"id": SESSION}), event(name=3))
    page = show()
    press = page.keyboard.press
    expect(rows(page)).to_have_count(3)
    for key in ("j", "ArrowDown", "j", "k"):
        press(key)
    expect(page.locator("[role=option][aria-selected=true]")).to_contain_text("two")
    press("Enter")
    expect(panel(page).get_by_role("heading", name="two")).to_be_visible()
    expect(page.get_by_role("tab", name="Event")).to_be_visible()
    press("s")
    expect(page.get_by_role("searchbox")).to_have_value(f"@session.id:{SESSION}")
    expect(rows(page)).to_have_count(1)
    press("Escape")
    expect(panel(page)).to_have_count(0)
    press("Escape")

    expect(rows(page)).to_have_count(3)


def test_event_is_copied_by_keyboard(show: Open, url: str) -> None:
    """c takes the JSON as it was sent, u a command that sends it again."""
    send(url, event("it's.copied"))
    page = show("/?event=1")
    expect(page.get_by_role("tab", name="Event")).to_be_visible()
    page.keyboard.press("c")
    expect(page.get_by_role("status")).to_have_text("JSON copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    page.keyboard.press("u")
    expect(page.get_by_role("status")).to_have_text("curl command copied")
    words = shlex.split(page.evaluate("navigator.clipboard.readText()").replace("\\\n", " "))

    assert json.loads(copied) == event("it's.copied")
    assert words[:4] == ["curl", "-X", "POST", f"{url}/api/v2/prodlytics"]
    assert json.loads(words[-1]) == event("it's.copied")


def test_view_is_changed_by_keyboard(show: Open, url: str) -> None:
    """r, p, g, x, t, ? and / do what their buttons do."""
    send(url, event("one"), event(name=3))
    page = show()
    press = page.keyboard.press
    expect(rows(page)).to_have_count(2)
    press("r")
    expect(rows(page)).to_have_count(1)
    press("r")
    press("p")
    expect(page.locator(".connection.paused")).to_be_visible()
    send(url, event("four"))
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    press("g")
    expect(rows(page).first).to_contain_text("four")
    press("p")
    press("x")
    expect(page.get_by_text("Nothing since the list was cleared")).to_be_visible()
    press("Escape")
    expect(rows(page)).to_have_count(3)
    press("t")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    press("Escape")
    press("/")
    page.keyboard.type("@event.name:one")

    expect(rows(page)).to_have_count(1)


def test_what_was_never_sent_is_seen(show: Open, url: str) -> None:
    """Before anything has arrived it stands open, by reason, with what to do; it comes by itself."""
    page = show()
    drops = page.locator(".drops")
    expect(drops).to_have_count(0)
    for name, count in (("checkout.completed", 2), ("report.viewed", 1)):
        httpx.post(f"{url}/api/emulator/drops", json={"drops": [{"reason": "unlinked", "name": name, "count": count}]})

    expect(drops.locator("summary")).to_contain_text("3 events were dropped before being sent")
    expect(drops).to_contain_text("name somebody")
    expect(drops.get_by_role("listitem")).to_have_text(["report.viewed 1 ×", "checkout.completed 2 ×"])
