"""Datadog's real browser SDK and our sites: the session that an event claims is the one that the SDK sends, or none."""

from __future__ import annotations

import pytest

from tests.browser.conftest import CHROMIUM, MakeVisitor
from tests.browser.pages import CONSENT_COOKIE

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt install chromium)"),
]
each = pytest.mark.parametrize(("site", "sdk"), [("django", "v6"), ("django", "v7"), ("flask", "v6"), ("flask", "v7")])
either = pytest.mark.parametrize(("site", "sdk"), [("django", "v7"), ("flask", "v6")])


@each
def test_visit(make_visitor: MakeVisitor, site: str, sdk: str) -> None:
    """The first page claims nothing, as its cookie comes later; links, forms and requests all claim the session."""
    visitor = make_visitor(site, sdk)
    visitor.open("first")
    session = visitor.session()
    visitor.page.get_by_role("link", name="Next page").click()
    visitor.arrive("next")
    visitor.ask("Ask this site")
    visitor.ask("Ask the other site")
    visitor.press("Send the form")
    visitor.arrive("after-form")

    assert visitor.claimed("first") is None
    assert {name: visitor.claimed(name) for name in ("next", "asked", "asked-elsewhere", "form", "after-form")} == {
        "next": session, "asked": session, "asked-elsewhere": session, "form": session, "after-form": session,
    }  # fmt: skip
    assert visitor.event("asked-elsewhere")["service"] != visitor.event("asked")["service"]
    assert [visitor.sent_session(name) for name in ("after-form", "next", "first")] == [session] * 3
    requests = [
        event for event in visitor.payload if event["type"] == "resource" and "/api/act" in event["resource"]["url"]
    ]
    assert {event["session"]["id"] for event in requests} == {session}


@either
def test_arrival_from_another_site(make_visitor: MakeVisitor, site: str, sdk: str) -> None:
    """The cookie is kept back from such a page, and from its reload: nothing is claimed, though the session goes on."""
    visitor = make_visitor(site, sdk)
    visitor.open("before")
    session = visitor.session()
    visitor.page.goto(f"{visitor.elsewhere}/elsewhere?to={visitor.site}/page?name=arrived")
    visitor.page.get_by_role("link", name="Go there").click()
    visitor.arrive("arrived")
    visitor.event("arrived")
    visitor.page.reload()
    visitor.until(lambda: len([e for e in visitor.events if e["name"] == "arrived"]) == 2, "the reload")
    visitor.started()
    visitor.ask("Ask this site")

    claims = [event.get("session") for event in visitor.events if event["name"] == "arrived"]
    assert claims == [None, None]
    assert visitor.claimed("asked") == session
    assert visitor.sent_session("arrived") == session


@either
def test_session_that_is_over(make_visitor: MakeVisitor, site: str, sdk: str) -> None:
    """A dead session is not claimed, although its cookie is still sent; the one that follows is."""
    visitor = make_visitor(site, sdk)
    visitor.open("first")
    old = visitor.session()
    visitor.end_session()
    visitor.open("back")
    new = visitor.session(other_than=old)
    visitor.open("later")

    assert [visitor.claimed(name) for name in ("back", "later")] == [None, new]
    assert [visitor.sent_session(name) for name in ("later", "back", "first")] == [new, new, old]


@either
def test_sign_in_and_sign_out_in_one_session(make_visitor: MakeVisitor, site: str, sdk: str) -> None:
    """Both sides name the same user while somebody is signed in, and the session stays the same before and after."""
    visitor = make_visitor(site, sdk)
    visitor.open("first")
    session = visitor.session()
    visitor.open("anonymous")
    visitor.press("Sign in")
    visitor.arrive("signed-in")
    visitor.ask("Ask this site")
    visitor.press("Sign out")
    visitor.arrive("signed-out")
    visitor.session()
    names = ("anonymous", "signed-in", "asked", "signed-out")
    told = [(visitor.event(name).get("usr"), visitor.claimed(name)) for name in names]
    sent = {name: visitor.views(name)[-1] for name in ("signed-out", "signed-in", "anonymous")}

    ada = {"id": "41"}
    assert told == [(None, session), (ada, session), (ada, session), (None, session)]
    assert {name: (view["usr"].get("id"), view["session"]["id"]) for name, view in sent.items()} == {
        "anonymous": (None, session),
        "signed-in": ("41", session),
        "signed-out": (None, session),
    }


@either
def test_two_tabs(make_visitor: MakeVisitor, site: str, sdk: str) -> None:
    """They share the session, whichever of them began it."""
    visitor = make_visitor(site, sdk)
    visitor.open("one")
    session = visitor.session()
    second = visitor.context.new_page()
    visitor.open("two", second)
    second.get_by_role("link", name="Next page").click()
    visitor.arrive("next", second)
    visitor.ask("Ask this site")
    second.goto(visitor.elsewhere + "/elsewhere?to=/")

    assert [visitor.claimed(name) for name in ("two", "next", "asked")] == [session] * 3
    assert [visitor.sent_session(name) for name in ("one", "two", "next")] == [session] * 3


@either
def test_without_consent(make_visitor: MakeVisitor, site: str, sdk: str) -> None:
    """Neither side sends or stores anything, until the visitor agrees: then the SDK, which was there, begins."""
    visitor = make_visitor(site, sdk)
    visitor.context.add_cookies([{"name": CONSENT_COOKIE, "value": "no", "url": visitor.site}])
    visitor.page.goto(f"{visitor.site}/page?name=refused")
    visitor.press("Sign in")
    visitor.page.wait_for_url("**/page?name=signed-in")
    visitor.ask("Ask this site")
    visitor.until(lambda: visitor.page.evaluate("Boolean(window.DD_RUM?.getInitConfiguration())"), "the SDK")
    stored = [cookie.get("name") for cookie in visitor.context.cookies() if cookie.get("name", "").startswith("_dd_s")]

    assert (visitor.events, visitor.payload, stored) == ([], [], [])
    visitor.context.add_cookies([{"name": CONSENT_COOKIE, "value": "yes", "url": visitor.site}])
    visitor.page.evaluate("window.DD_RUM.setTrackingConsent('granted')")
    session = visitor.session()
    visitor.open("agreed")

    assert visitor.claimed("agreed") == session
    assert visitor.sent_session("agreed") == session
