"""Explore, funnel, retention, paths and saved views, in a real browser: the page says what the query API says."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from playwright.sync_api import Page, expect

from dd_pa.emulator import Emulator
from tests.emulator import test_page
from tests.emulator.asking import stored
from tests.emulator.client import INTAKE, KEY
from tests.emulator.test_page import Open
from tests.emulator.test_page_look import HOSTILE, axe

pytestmark = test_page.pytestmark
browser, context, url, show = test_page.browser, test_page.context, test_page.url, test_page.show

VIEWED, ADDED, PAID = "product.viewed", "cart.item_added", "checkout.completed"
FUNNEL = f"/funnel?step=event:{VIEWED}&step=event:{ADDED}&step=event:{PAID}"
VISITS = [[VIEWED], [VIEWED], [VIEWED, ADDED], [VIEWED, ADDED, PAID], [VIEWED, ADDED, PAID]]


@pytest.fixture
def shop(url: str) -> str:
    """Five sessions of five users: all looked, three put something into the cart, two paid."""
    with httpx.Client(base_url=url, headers={"dd-api-key": KEY}, timeout=20) as http:
        for number, visit in enumerate(VISITS):
            for name in visit:
                send(http, name, number, plan="pro" if number % 2 else "free")
    return url


def send(http: httpx.Client, name: str, number: int, **attributes: Any) -> None:
    body = {
        "type": "server",
        "application": {"id": "shop"},
        "event": {"name": name},
        "usr": {"id": f"user-{number}"},
        "account": {"id": "acme"},
        "session": {"id": f"7f150524-34b9-45df-9e77-69b10f4205b{number}"},
        **attributes,
    }
    assert http.post(INTAKE, json=body).status_code == 202


def legend(page: Page) -> dict[str, int]:
    """Return the sums of the chart's legend."""
    page.locator(".legend tbody tr").first.wait_for()
    rows = page.locator(".legend tbody tr").evaluate_all(
        "rows => rows.map((row) => row.innerText.split(/\\s*\\t\\s*/))"
    )
    return {name.strip(): int(value) for name, value, *_ in rows}


def stages(page: Page) -> list[str]:
    """Return how many reached each step of the funnel."""
    page.locator(".stage").first.wait_for()
    found = page.locator(".stage").evaluate_all("stages => stages.map((stage) => stage.querySelector('dd').innerText)")
    return cast("list[str]", found)


def test_explore_counts_by_name_and_by_a_facet(show: Open, shop: str) -> None:
    """The sums of the legend are those of the events; the facet stands in the address."""
    page = show("/explore?last=1h")
    assert legend(page) == {VIEWED: 5, ADDED: 3, PAID: 2}

    page.get_by_label("By", exact=True).fill("@plan")
    page.get_by_label("By", exact=True).press("Enter")
    expect(page.locator(".legend thead")).to_contain_text("@plan")
    assert legend(page) == {"free": 6, "pro": 4}
    expect(page).to_have_url(re.compile(r"by=@plan"))
    page.get_by_label("Count", exact=True).select_option("@usr.id")
    expect(page.locator(".legend tbody td").first).to_have_text("3")


def test_explore_leads_to_the_events_and_back(show: Open, shop: str) -> None:
    page = show("/explore?last=1h")
    page.get_by_role("button", name=ADDED).click()

    expect(page.locator(".row")).to_have_count(3)
    expect(page).to_have_url(re.compile(rf"/\?q=@event\.name:{ADDED}&source=all&from=\d+&to=\d+$"))
    page.go_back()
    assert legend(page)[ADDED] == 3
    page.get_by_role("button", name="as table").click()
    expect(page.locator(".figures-table thead")).to_contain_text(PAID)


def test_explore_measures_compares_and_says_what_went_out(show: Open) -> None:
    """Averages with their unit, the time before, releases; a bar is found and opened by keys alone."""
    hour, now = 3_600_000, int(time.time() * 1000)
    rows = [(-30, 100, "1.0"), (-20, 200, "1.0"), (-10, 300, "1.0"), (-9, 1_500, "1.1"), (-8, 2_000, "1.1")]
    emulator = Emulator()
    event = {"event": {"name": PAID}, "service": "shop"}
    stored(emulator, [(now + at * hour, {**event, "took_ms": took, "version": version}) for at, took, version in rows])
    with emulator.running() as base:
        page = show("/")
        page.goto(f"{base}/explore?last=24h&of=avg:@took_ms&compare=before")
        cells = page.locator(".legend tbody td:not(.share)")
        expect(cells).to_have_text(["1.0 s", "100 ms", "+900%"])
        expect(page.locator(".releases")).to_contain_text("shop 1.1")
        expect(page.locator(".releases .mono")).to_have_count(1)
        page.get_by_label("Count", exact=True).select_option("pc90")
        expect(cells.first).to_have_text("1.9 s")
        page.get_by_label("Count", exact=True).select_option("count")
        expect(cells).to_have_text(["4", "1", "+300%"])

        page.locator(".chart-box").focus()
        page.keyboard.press("End")
        expect(page.locator(".chart-tip")).to_contain_text("so far: none")
        for _ in range(8):
            page.keyboard.press("ArrowLeft")
        expect(page.locator(".chart-tip")).to_contain_text(f"{PAID} 1")
        page.keyboard.press("Enter")
        expect(page.get_by_role("option")).to_have_count(1)
        page.close()
    emulator.close()


def test_funnel_says_who_left_where(show: Open, shop: str) -> None:
    """Numbers, the largest loss in words, and the sessions behind it; Back closes their list."""
    page = show(FUNNEL)

    assert stages(page) == ["5", "3", "2"]
    expect(page.locator(".funnel-sentence")).to_have_text(
        f"40%of 5 sessions reach the last step. The largest loss is before {ADDED}: 2."
    )
    page.get_by_role("button", name="2 left before step B").click()
    expect(page.get_by_role("heading", name=f"Left before {ADDED}")).to_be_visible()
    expect(page.locator(".people-table tbody tr")).to_have_count(2)
    expect(page).to_have_url(re.compile(r"lost=1"))
    page.go_back()
    expect(page.locator(".people-table")).to_have_count(0)


def test_funnel_counts_users_where_there_are_no_sessions(show: Open) -> None:
    """Within an hour, too, on whichever day; by a facet; with the median, and the distribution of times."""
    hour, now = 3_600_000, int(time.time() * 1000)
    visits = [("u1", "pro", -70, -60), ("u2", "pro", -20, -19.5), ("u3", "free", -40, -39.75)]
    rows = [(-80.0, "u2", "pro", VIEWED), (-1.0, "u4", "free", VIEWED)]
    for user, plan, viewed, paid in visits:
        rows += [(viewed, user, plan, VIEWED), (paid, user, plan, PAID)]
    emulator = Emulator()
    made = [(at, {"event": {"name": name}, "usr": {"id": user}, "plan": plan}) for at, user, plan, name in rows]
    stored(emulator, [(now + int(at * hour), body) for at, body in made])
    with emulator.running() as base:
        page = show("/")
        page.goto(f"{base}/funnel?step=event:{VIEWED}&step=event:{PAID}&last=7d")
        assert stages(page) == ["4", "2"]
        expect(page.get_by_label("Count by")).to_have_value("users")
        expect(page.locator(".card-foot")).to_contain_text("for 24 h")

        page.get_by_label("Within").select_option("1h")
        expect(page.locator(".card-foot")).to_contain_text("Datadog's API has no such window")
        assert stages(page) == ["4", "2"]
        expect(page.locator(".spread p")).to_have_text("Half took 22m 30s or less, nine of ten 28m 30s.")
        page.get_by_label("By", exact=True).fill("@plan")
        page.get_by_label("By", exact=True).press("Enter")
        cells = page.locator(".funnel-groups tbody tr").first.locator("th, td")
        expect(cells).to_have_text(["free", "2", "1 50%", "50%", "15m 00s"])
        page.get_by_role("button", name="2 left before step B").click()
        expect(page.locator(".people-table tbody th")).to_have_text(["u4", "u1"])
        page.close()
    emulator.close()


def test_funnel_is_built_by_hand(show: Open, shop: str) -> None:
    """Add, move and remove steps; the address shows the same funnel again."""
    page = show("/funnel")
    expect(page.get_by_text("A funnel has two steps or more")).to_be_visible()
    for name in (ADDED, VIEWED):
        page.get_by_label("New step", exact=True).fill(name)
        page.get_by_role("button", name="Add a step").click()
        expect(page.locator(".step input").last).to_have_value(name)
    page.get_by_role("button", name="Move step 2 up").click()
    expect(page.locator(".stage h3").first).to_have_text(f"1. {VIEWED}")
    expect(page.locator(".stage dd").first).to_have_text("5")
    assert stages(page) == ["5", "3"]

    page.reload()
    assert stages(page) == ["5", "3"]
    page.get_by_role("button", name="Remove step 2").click()
    expect(page.get_by_text("A funnel has two steps or more")).to_be_visible()


def offered(page: Page, name: str) -> set[str]:
    """What may be chosen while typing."""
    options = page.locator(f"#{name} option")
    options.first.wait_for(state="attached")
    return {str(option.get_attribute("value")) for option in options.all()}


def test_retention_of_this_week(show: Open, shop: str) -> None:
    """Five users came in this week, which has no later one yet."""
    page = show("/retention?unit=day&last=24h")

    expect(page.locator(".retention tbody tr").last.locator("td.size")).to_have_text("5")
    expect(page.locator(".retention thead")).to_contain_text("First day")
    assert offered(page, "retention-searches") == {f"@event.name:{name}" for name in (VIEWED, ADDED, PAID)}


def test_paths_lead_to_the_funnel(show: Open, shop: str) -> None:
    """A step of the flow opens the funnel of the steps before it; the table says the same."""
    page = show("/paths?last=1h")
    page.get_by_role("button", name="as table").click()
    rows = [row.locator("td").all_inner_texts() for row in page.locator(".figures-table tbody tr").all()]
    assert ["1", VIEWED, ADDED, "3"] in rows
    assert ["1", VIEWED, "left", "2"] in rows

    page.get_by_role("link", name=f"{PAID}, step 3").click()
    assert stages(page) == ["5", "3", "2"]


def test_views_are_saved_by_name(show: Open, shop: str) -> None:
    page = show(FUNNEL)
    page.get_by_role("button", name="Saved views").click()
    page.get_by_label("Name of this view").fill(HOSTILE)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("link", name=HOSTILE)).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Paths").click()
    page.get_by_role("button", name="Saved views 1").click()
    page.get_by_role("link", name=HOSTILE).click()
    assert stages(page) == ["5", "3", "2"]

    page.get_by_role("button", name="Saved views 1").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("None yet.")).to_be_visible()


def test_a_query_that_fails_says_why_and_can_be_asked_again(show: Open, shop: str) -> None:
    """In the words of the answer; the steps stay."""
    fault = {"status": 429, "times": None, "on": "query"}
    httpx.post(f"{shop}/api/emulator/faults", json=fault, timeout=20).raise_for_status()
    page = show(FUNNEL)
    expect(page.get_by_role("alert").first).to_contain_text("fault on demand")
    httpx.request("DELETE", f"{shop}/api/emulator/faults", headers={"content-type": "application/json"}, timeout=20)
    page.locator(".funnel-side").get_by_role("button", name="Retry").click()

    assert stages(page) == ["5", "3", "2"]


def test_hostile_names_are_text(show: Open, url: str) -> None:
    """In the legend, the steps, the offers and the flow."""
    with httpx.Client(base_url=url, headers={"dd-api-key": KEY}, timeout=20) as http:
        for name in (VIEWED, HOSTILE):
            send(http, name, 1)
    page = show("/explore?last=1h")
    assert legend(page) == {VIEWED: 1, HOSTILE: 1}
    page.get_by_role("link", name="Funnel").click()
    page.locator(".offer", has_text="onerror").click()
    expect(page.locator(".step input")).to_have_value(HOSTILE)
    page.get_by_role("link", name="Paths").click()
    expect(page.locator(".flow .node")).not_to_have_count(0)


def test_every_view_has_a_key(show: Open, shop: str) -> None:
    page = show()
    for key, heading in (("3", "Explore"), ("4", "Funnel"), ("5", "Retention"), ("6", "Paths"), ("2", "Sessions")):
        page.keyboard.press(key)
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_accessibility_finding(show: Open, shop: str, theme: str) -> None:
    """axe-core finds nothing of WCAG 2.2 A or AA in any of the reports."""
    ready: list[tuple[str, str]] = [
        ("/explore?last=1h", ".legend tbody tr"),
        (f"{FUNNEL}&lost=1", ".people-table tbody tr"),
        ("/retention?unit=day&last=24h", ".retention tbody tr"),
        ("/paths?last=1h", ".flow .node"),
    ]
    findings: list[Any] = []
    for address, selector in ready:
        page = show(address, theme=theme)
        page.locator(selector).first.wait_for()
        findings += axe(page)
        page.close()

    assert findings == []


@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_scrolls_sideways(show: Open, shop: str, width: int) -> None:
    """Wide tables and flows do, inside their card."""
    waits: dict[str, Callable[[Page], Any]] = {
        "/explore?last=1h": legend,
        FUNNEL: stages,
        "/retention?unit=day&last=24h": lambda page: page.locator(".retention").wait_for(),
        "/paths?last=1h": lambda page: page.locator(".flow .node").first.wait_for(),
    }
    for address, wait in waits.items():
        page = show(address, width=width)
        wait(page)
        room = page.locator("main").evaluate("main => [main.scrollWidth, main.clientWidth]")
        assert room[0] <= room[1], address
        page.close()


def test_a_wide_retention_scrolls_inside_its_card(show: Open) -> None:
    """Its unseen words too: the page itself is as wide as the screen."""
    now, day = int(time.time() * 1000), 86_400_000
    emulator = Emulator()
    stored(emulator, [(now - back * day, {"event": {"name": PAID}, "usr": {"id": f"u{back}"}}) for back in range(9)])
    with emulator.running() as base:
        page = show("/", width=320)
        page.goto(f"{base}/retention?unit=day&last=30d")
        expect(page.locator(".retention tbody tr")).to_have_count(9)
        assert page.evaluate("document.documentElement.scrollWidth") == 320
        page.close()
    emulator.close()


def test_numbers_can_be_taken_out(show: Open, shop: str) -> None:
    """As CSV, in which nothing is a formula, and as a request that the API answers alike."""
    page = show(FUNNEL)
    stages(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    page.get_by_role("button", name="Copy API request").click()
    expect(page.get_by_text("API request copied").first).to_be_attached()
    command = shlex.split(page.evaluate("navigator.clipboard.readText()"))
    body = command[command.index("-d") + 1]
    answer = httpx.post(command[3], content=body, headers={"dd-api-key": KEY, "dd-application-key": "b"}, timeout=20)

    assert [line.split(",")[:2] for line in lines[1:]] == [[VIEWED, "5"], [ADDED, "3"], [PAID, "2"]]
    steps = answer.json()["data"]["attributes"]["funnel_steps"]
    assert [step["value"] for step in steps] == [5, 3, 2]


def test_a_report_is_asked_again(show: Open, shop: str) -> None:
    page = show(FUNNEL)
    expect(page.locator(".stage").first).to_contain_text("5")
    with httpx.Client(base_url=shop, headers={"dd-api-key": KEY}, timeout=20) as http:
        send(http, VIEWED, 7)
    page.get_by_role("button", name="Refresh").click()

    expect(page.locator(".stage").first.locator("dd").first).to_have_text("6")


def test_days_of_ones_own(show: Open, shop: str) -> None:
    """They stand in the address, and hold what happened on them, in UTC."""
    today = datetime.now(UTC).date()
    page = show(f"/explore?last={today}..{today}")
    legend(page)
    expect(page.get_by_label("First day, UTC")).to_have_value(str(today))
    expect(page.locator(".card-foot").first).to_contain_text("10 events")
    before = today - timedelta(days=30)
    page.get_by_label("Last day, UTC").fill(str(before))

    expect(page.get_by_label("First day, UTC")).to_have_value(str(before))
    expect(page.get_by_label("Last day, UTC")).to_have_value(str(today))
    expect(page).to_have_url(re.compile(f"last={before}"))


def test_a_bar_of_another_day_opens_its_events(show: Open, tmp_path: Path) -> None:
    """Events that only the disk has are listed in Live, and open; their session has its timeline."""
    first = Emulator(data=tmp_path)
    with first.running() as base, httpx.Client(base_url=base, headers={"dd-api-key": KEY}, timeout=20) as http:
        send(http, VIEWED, 1)
        send(http, PAID, 1)
    first.close()
    again = Emulator(data=tmp_path)
    with again.running() as base:
        page = show("/")
        page.goto(f"{base}/explore?last=24h")
        page.get_by_role("button", name=VIEWED).click()
        expect(page.get_by_role("option")).to_have_count(1)
        expect(page.get_by_role("img", name="Events in this time: 1 accepted, 0 rejected.")).to_be_visible()
        page.get_by_role("option").click()
        expect(page.get_by_role("region", name="Event", exact=True)).to_contain_text("acme")
        assert "event=old-1" in page.url
        page.get_by_role("link", name="Open timeline").click()
        expect(page.locator(".moment-row")).to_have_count(2)
        page.close()
    again.close()
