"""Somebody with a real browser, and what the two sides sent about them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

from playwright.sync_api import BrowserContext, Page, expect

from dd_pa.emulator import Emulator

PATIENCE = 30.0
POLL_MS = 50
Found = TypeVar("Found")


class Visitor:
    """One browser profile. What is waited for must happen within 30 seconds."""

    def __init__(self, context: BrowserContext, emulator: Emulator, site: str, other: str) -> None:
        self.context = context
        self.site = site
        self.other = other
        self.elsewhere = other.replace("127.0.0.1", "localhost")
        """The other site by a name that makes it another site for cookies."""
        self.page = context.new_page()
        self._emulator = emulator

    def open(self, name: str, page: Page | None = None) -> None:
        """Open a page by its address."""
        (page or self.page).goto(f"{self.site}/page?name={name}")
        self.arrive(name, page)

    def press(self, name: str) -> None:
        """Press a button."""
        self.page.get_by_role("button", name=name).click()

    def ask(self, name: str) -> None:
        """Press a button whose request is answered into the page."""
        self.press(name)
        self.page.get_by_text("done").wait_for()
        self.page.evaluate("document.querySelector('output').textContent = ''")

    def until(self, find: Callable[[], Found | None], what: str) -> Found:
        """Return what `find` finds; the browser goes on meanwhile. Raises AssertionError if it does not in time."""
        deadline = time.monotonic() + PATIENCE
        while not (found := find()):
            assert time.monotonic() < deadline, f"{what} did not come; {self._came()}"
            self.page.wait_for_timeout(POLL_MS)
        return found

    def _came(self) -> str:
        browser = [(event["type"], event["view"]["url"], event["session"]["id"]) for event in self.payload]
        return f"browser: {browser}, server: {[(event['name'], event.get('session')) for event in self.events]}"

    def started(self, page: Page | None = None) -> None:
        """Wait until the SDK has a session and a view in the page: what leaves earlier is never told."""
        code = "window.DD_RUM?.getInternalContext()?.view?.id"
        self.until(lambda: (page or self.page).evaluate(code), "the SDK's start")

    def arrive(self, name: str, page: Page | None = None) -> None:
        """Wait until the page is there and its SDK has started."""
        expect((page or self.page).get_by_role("heading", name=name, exact=True)).to_be_visible(timeout=PATIENCE * 1000)
        self.started(page)

    def session(self, *, other_than: str | None = None) -> str:
        """Wait until the SDK keeps a live session in its cookie, and return its id."""
        return self.until(lambda: self._session_in_cookie(other_than), "the SDK's cookie")

    def _session_in_cookie(self, other_than: str | None) -> str | None:
        for cookie in self.context.cookies(self.site):
            found = re.search(r"(?:^|&)id=([0-9a-f-]{36})", cookie.get("value", ""))
            if cookie.get("name") in ("_dd_s", "_dd_s_v2") and found and found[1] != other_than:
                return found[1]
        return None

    def end_session(self) -> None:
        """Let the session in the cookie be over, as after 15 minutes away: where no page is open."""
        self.leave()
        for cookie in self.context.cookies(self.site):
            if cookie.get("name") in ("_dd_s", "_dd_s_v2"):
                ended = re.sub(r"expire=\d+", f"expire={int(time.time() * 1000) - 60_000}", cookie["value"])
                self.context.add_cookies([{**cookie, "value": ended}])  # type: ignore[typeddict-item]

    @property
    def events(self) -> list[dict[str, Any]]:
        """What the sites sent."""
        return self._emulator.events

    @property
    def payload(self) -> list[dict[str, Any]]:
        """What the SDK sent."""
        return self._emulator.browser_events

    def event(self, name: str) -> dict[str, Any]:
        """Wait for the newest event of a site that says it is about `name`, and return it."""
        return self.until(lambda: next((e for e in reversed(self.events) if e["name"] == name), None), f"event {name}")

    def claimed(self, name: str) -> str | None:
        """Return the session that the site's event about `name` claims."""
        session: str | None = self.event(name).get("session", {}).get("id")
        return session

    def leave(self) -> None:
        """Go to a page without the SDK: what it holds is sent when its page is left."""
        self.page.goto(f"{self.site}/elsewhere?to=/")

    def views(self, name: str) -> list[dict[str, Any]]:
        """Leave the page, and return what the SDK sent of the page `name`, oldest version first."""
        self.leave()
        return self.until(lambda: self._views_of(name), f"the SDK's view of {name}")

    def _views_of(self, name: str) -> list[dict[str, Any]]:
        address = f"/page?name={name}"
        return [e for e in self.payload if e["type"] == "view" and e["view"]["url"].endswith(address)]

    def sent_session(self, name: str) -> str:
        """Return the session in what the SDK sent of the page `name`."""
        [session] = {view["session"]["id"] for view in self.views(name)}
        return str(session)
