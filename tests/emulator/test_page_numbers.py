"""Numbers on the page are those of the events: nothing is counted twice, and what is cut off is still counted."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.emulator import browser as sdk
from tests.emulator import test_page
from tests.emulator.test_page import Open

pytestmark = test_page.pytestmark
browser, context, url, show = test_page.browser, test_page.context, test_page.url, test_page.show

HOUR, DAY = 3_600_000, 24 * 3_600_000


def acted(at: float, number: int, **members: Any) -> dict[str, Any]:
    """Somebody's action at a time."""
    action = {"id": f"action-{number}", "type": "click", "target": {"name": "Buy"}}
    return sdk.line("action", int(at), action=action, **members)


def send(url: str, events: list[dict[str, Any]]) -> None:
    with httpx.Client(base_url=url, timeout=60) as http:
        assert sdk.send(http, *events).status_code == 202


def legend(page: Page) -> dict[str, str]:
    """The sums of the chart's legend, as they are written."""
    page.locator(".legend tbody tr").first.wait_for()
    names, sums = page.locator(".legend tbody th").all_inner_texts(), page.locator(".legend tbody td:nth-child(2)")
    return dict(zip((name.strip() for name in names), sums.all_inner_texts(), strict=True))


def now() -> int:
    return int(time.time() * 1000)


def test_people_of_many_bars_count_once(show: Open, url: str) -> None:
    """Three users over ten hours are three, not thirty."""
    at = now()
    users = [{"usr": {"id": f"u{number % 3}"}, "plan": "pro" if number % 3 else "free"} for number in range(30)]
    send(url, [acted(at - HOUR * (number // 3), number, **user) for number, user in enumerate(users)])
    page = show("/explore?last=24h&of=@usr.id&by=-")
    assert legend(page) == {"all": "3"}
    expect(page.locator(".card-foot")).to_contain_text(
        "3 users in 24 bars, the last of which is not over yet. Times are UTC"
    )

    page.get_by_label("By", exact=True).fill("@plan")
    page.get_by_label("By", exact=True).press("Enter")
    expect(page.locator(".legend thead")).to_contain_text("@plan")
    assert legend(page) == {"pro": "2", "free": "1"}


@pytest.mark.parametrize(("of", "rest"), [("", "4"), ("&of=@usr.id", "3")])
def test_rest_of_a_facet_with_several_values(show: Open, url: str, of: str, rest: str) -> None:
    """Events count in each group they are in; the rest is what is in no group that is shown, and opens as such."""
    tags = [["a", "b"]] * 3 + [[name] for name in "cdefgh" for _ in range(2)] + [[name] for name in "uvwx"]
    users = [f"u{number}" for number in range(len(tags) - 1)] + [f"u{len(tags) - 2}"]
    at = now() - 1_000
    events = [
        acted(at - number, number, labels=labels, usr={"id": user})
        for number, (labels, user) in enumerate(zip(tags, users, strict=True))
    ]
    send(url, events)
    page = show(f"/explore?last=24h&by=@labels{of}")

    assert legend(page) == {**dict.fromkeys("ab", "3"), **dict.fromkeys("cdefgh", "2"), "other": rest}
    expect(page.locator(".card-foot")).to_contain_text("19 events" if not of else "18 users")
    page.get_by_role("button", name="other").click()
    expect(page.get_by_role("searchbox")).to_have_value(
        "@labels:* -(" + " OR ".join(f"@labels:{name}" for name in "abcdefgh") + ")"
    )


def test_search_with_bars_keeps_its_meaning(show: Open, url: str) -> None:
    """A search with || is put into parentheses when something is added, as one with OR."""
    at = now() - 1_000
    send(
        url, [acted(at, number, plan=plan, size=number) for number, plan in enumerate(["pro", "pro", "free", "trial"])]
    )
    page = show("/explore?last=24h&by=@size&q=@plan:pro%20||%20@plan:trial")

    assert legend(page) == {"0": "1", "1": "1", "3": "1"}
    page.locator(".legend").get_by_role("button", name="3", exact=True).click()
    expect(page.get_by_role("searchbox")).to_have_value("(@plan:pro || @plan:trial) @size:3")


def test_cell_says_how_many_came_back(show: Open, url: str) -> None:
    """The list shows the first 200 of them; its head says how many there are."""
    day = now() // DAY * DAY - 2 * DAY
    people = [(number, {"usr": {"id": f"u{number:03}"}}) for number in range(230)]
    send(url, [acted(day + HOUR, number, **who) for number, who in people])
    send(url, [acted(day + DAY + HOUR, 1_000 + number, **who) for number, who in people[:210]])
    page = show("/retention?unit=day&last=7d")
    page.get_by_role("button", name="91%").click()

    expect(page.locator(".people-head .found")).to_have_text("210")
    expect(page.locator(".people-table tbody tr")).to_have_count(200)
    expect(page.locator(".people-list .card-foot")).to_contain_text("The first 200 of 210.")
    expect(page.locator("td.so-far")).to_have_count(1)


@pytest.fixture
def far_away(browser: Any, url: str) -> Any:
    """A page of somebody whose clock is 5:45 ahead of UTC."""
    context: BrowserContext = browser.new_context(timezone_id="Asia/Kathmandu", viewport={"width": 1440, "height": 900})
    yield context.new_page()
    context.close()


def test_reports_are_in_utc(far_away: Page, url: str) -> None:
    """Bars begin where the labels say, wherever the reader is."""
    at = now() // DAY * DAY - 3 * DAY
    send(url, [acted(at + 1, 1), acted(at + DAY - 1, 2)])
    far_away.goto(f"{url}/explore?last=30d&by=-")
    far_away.get_by_role("button", name="as table").click()
    rows = far_away.locator(".figures-table tbody tr")

    expect(rows).to_have_count(1)
    day = time.gmtime(at / 1000)
    expect(rows.first).to_contain_text(f"{day.tm_mday} {time.strftime('%b', day)}, 00:00")
    expect(rows.first.locator("td")).to_have_text("2")


def monday() -> int:
    """When this week began, UTC."""
    return now() - (now() - 4 * DAY) % (7 * DAY)


def bars(page: Page) -> list[list[str]]:
    """The rows of the chart's table: the time, and the numbers."""
    page.get_by_role("button", name="as table").click()
    rows = page.get_by_role("region", name="Counts as a table").locator("tbody tr").all()
    return [row.locator("th, td").all_inner_texts() for row in rows]


def test_weeks_begin_on_monday_and_count_somebody_once(show: Open, url: str) -> None:
    """Sunday's last hour is of the week before, and who came on two days of it is one user, also by a facet."""
    begin, at = monday(), now()
    moments = [(begin - 7 * DAY, "u0"), (begin - 3 * DAY, "u0"), (begin - 1, "u1"), (begin, "u1"), (at, "u2")]
    events = [{"usr": {"id": user}, "plan": "pro" if user == "u1" else "free"} for _, user in moments]
    send(url, [acted(moments[number][0], number, **members) for number, members in enumerate(events)])
    page = show("/explore?last=30d&of=@usr.id&by=-&bars=week")
    expect(page.locator(".card-foot")).to_contain_text("3 users in")
    assert legend(page) == {"all": "3"}
    assert [numbers for _, *numbers in bars(page)] == [["2"], ["2"]]

    page.get_by_label("By", exact=True).fill("@plan")
    page.get_by_label("By", exact=True).press("Enter")
    expect(page.locator(".legend thead")).to_contain_text("@plan")
    assert legend(page) == {"free": "2", "pro": "1"}
    rows = page.get_by_role("region", name="Counts as a table").locator("tbody tr")
    assert [row.locator("td").all_inner_texts() for row in rows.all()] == [["1", "1"], ["1", "1"]]


def test_a_time_that_is_over_has_no_running_bar(show: Open, url: str) -> None:
    """Days of one's own, the last of which is long over; and a time before without events has no line."""
    begin = monday() - 14 * DAY
    send(url, [acted(begin + number * DAY, number, usr={"id": "u"}) for number in range(7)])
    first, last = (time.strftime("%Y-%m-%d", time.gmtime((begin + days * DAY) / 1000)) for days in (0, 6))
    page = show(f"/explore?last={first}..{last}&by=-&compare=before")
    expect(page.locator(".card-foot")).to_contain_text("7 events in 28 bars. Times are UTC")
    expect(page.locator(".chart-tip")).to_contain_text("In the time before there was nothing.")
