from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.types import Message

from dd_pa.emulator import Emulator
from tests.emulator.client import INTAKE, KEY, Client, event

ROUTES = [
    pytest.param("GET", "/", id="page"),
    pytest.param("GET", "/static/index.html", id="static"),
    pytest.param("GET", "/api/emulator/events", id="events"),
    pytest.param("GET", "/api/emulator/events/1", id="event"),
    pytest.param("GET", "/api/emulator/histogram", id="histogram"),
    pytest.param("GET", "/api/emulator/stream", id="stream"),
    pytest.param("GET", "/api/emulator/status", id="status"),
    pytest.param("GET", "/api/emulator/faults", id="faults"),
    pytest.param("POST", "/api/emulator/faults", id="arm"),
    pytest.param("DELETE", "/api/emulator/faults", id="disarm"),
    pytest.param("POST", "/api/emulator/clear", id="clear"),
    pytest.param("POST", INTAKE, id="intake"),
    pytest.param("GET", "/nothing", id="nothing"),
]
CHANGING = [route for route in ROUTES if route.values[0] != "GET"]
READING = [route for route in ROUTES if str(route.values[1]).startswith("/api/emulator") and route.values[0] == "GET"]


def call(url: str, method: str, path: str, *fields: tuple[str, str]) -> httpx.Response:
    """Send one request, with header fields of its own after the usual ones."""
    usual = [("content-type", "application/json"), ("dd-api-key", KEY)]
    names = {name for name, _ in fields}
    headers = [field for field in usual if field[0] not in names] + list(fields)
    return httpx.request(method, url + path, headers=headers, timeout=10)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_rebound_host_on_every_route(emulator: Emulator, url: str, method: str, path: str) -> None:
    """A name that an attacker can point here gets nothing from any route, and leaves nothing behind."""
    response = call(url, method, path, ("host", "evil.example"))

    assert response.status_code == 403
    assert "is not a name of this emulator" in response.json()["errors"][0]["detail"]
    assert emulator.rejected == []


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:{port}",
        "127.0.0.1.evil.example:{port}",
        "evil.example.127.0.0.1:{port}",
        "localhost.evil.example:{port}",
        "user@127.0.0.1:{port}",
        "127.0.0.1:{port}@evil.example",
        "127.0.0.1:{port}, evil.example",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.0.0.1:0{port}",
        "127.0.0.1:{port}/",
        "127.0.0.1.:{port}",
        "127.1:{port}",
        "2130706433:{port}",
        "0.0.0.0:{port}",
        "[::ffff:127.0.0.1]:{port}",
        "[0:0:0:0:0:0:0:1]:{port}",
        "",
    ],
)
def test_other_names(url: str, host: str) -> None:
    """Only the exact names of loopback with the own port are ours."""
    name = host.format(port=urlsplit(url).port)

    assert call(url, "GET", "/api/emulator/status", ("host", name)).status_code in (400, 403)


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}", "[::1]:{port}"])
def test_own_names(url: str, host: str) -> None:
    """Loopback has three names."""
    name = host.format(port=urlsplit(url).port)

    assert call(url, "GET", "/api/emulator/status", ("host", name)).status_code == 200


@pytest.mark.parametrize("hosts", [["localhost", "evil.example"], ["evil.example", "localhost"], ["localhost"] * 2, []])
def test_two_hosts(hosts: list[str]) -> None:
    """Not exactly one Host field is refused, also where the server in front lets it pass."""
    sent: list[Message] = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/emulator/status",
        "scheme": "http",
        "server": ("localhost", None),
        "headers": [(b"host", host.encode()) for host in hosts],
    }

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Emulator()(scope, receive, send))
    assert sent[0]["status"] == 403


@pytest.mark.parametrize("name", ["X-Forwarded-Host", "X-Original-Host", "Forwarded", "X-Host"])
def test_forwarded_names(url: str, name: str) -> None:
    """What a proxy claims is not looked at."""
    value = f"host={urlsplit(url).netloc}" if name == "Forwarded" else urlsplit(url).netloc

    assert call(url, "GET", "/api/emulator/status", ("host", "evil.example"), (name, value)).status_code == 403


@pytest.mark.parametrize(
    ("allowed", "host", "status"),
    [
        pytest.param("shop.test", "shop.test:{port}", 200, id="own-port"),
        pytest.param("Shop.test", "shop.TEST", 200, id="default-port"),
        pytest.param("shop.test:9", "shop.test:9", 200, id="mapped-port"),
        pytest.param("shop.test:9", "shop.test:{port}", 403, id="other-port"),
        pytest.param("shop.test", "www.shop.test:{port}", 403, id="subdomain"),
    ],
)
def test_allowed_hosts(allowed: str, host: str, status: int) -> None:
    """Further names are taken as they are given."""
    with Emulator(allowed_hosts=[allowed]).running() as url:
        name = host.format(port=urlsplit(url).port)
        assert call(url, "GET", "/api/emulator/status", ("host", name)).status_code == status


@pytest.mark.parametrize(
    "base",
    [
        "http://emulator.test",
        "https://browser-intake-datadoghq.com",
        "http://127.0.0.1:8994",
        "http://localhost",
        "http://[::1]",
    ],
)
def test_in_process(base: str) -> None:
    """In one process no name can be rebound: tests use any, also the real intake's."""
    emulator = Emulator()

    async def send() -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator), base_url=base) as http:
            return (await http.post(INTAKE, json=event(), headers={"dd-api-key": KEY})).status_code

    assert asyncio.run(send()) == 202
    assert emulator.events == [event()]


@pytest.mark.parametrize(("method", "path"), CHANGING)
@pytest.mark.parametrize(
    "field",
    [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1:1"),
        ("origin", ""),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "anything"),
    ],
    ids=str,
)
def test_other_pages_change_nothing(
    emulator: Emulator, url: str, method: str, path: str, field: tuple[str, str]
) -> None:
    """A page of another site, port or scheme cannot send, clear or arm anything."""
    emulator.fail(503)

    assert call(url, method, path, field).status_code == 403
    assert (len(emulator.faults), emulator.rejected) == (1, [])


@pytest.mark.parametrize(("method", "path"), CHANGING)
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_forms_change_nothing(emulator: Emulator, url: str, method: str, path: str, content_type: str) -> None:
    """The types that a page may send to any site without asking are refused, even without any sign of a page."""
    emulator.fail(503, times=None)
    response = call(url, method, path, ("content-type", content_type))

    assert response.status_code in (403, 503)
    assert len(emulator.faults) == 1
    assert (response.status_code == 503) is (path == INTAKE)


@pytest.mark.parametrize(("method", "path"), READING)
@pytest.mark.parametrize(
    "field",
    [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ],
)
def test_other_pages_read_nothing(url: str, method: str, path: str, field: tuple[str, str]) -> None:
    """A page of another site reads nothing, the stream included, however it asks."""
    assert call(url, method, path, field, ("sec-fetch-mode", "navigate")).status_code == 403


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        pytest.param([("sec-fetch-site", "same-origin"), ("origin", "{url}")], 204, id="own-page"),
        pytest.param([("sec-fetch-site", "none")], 204, id="by-hand"),
        pytest.param([], 204, id="program"),
    ],
)
def test_own_page(client: Client, url: str, fields: list[tuple[str, str]], status: int) -> None:
    """The emulator's own page, and programs, may."""
    named = [(name, value.format(url=url)) for name, value in fields]

    assert call(url, "POST", "/api/emulator/clear", *named).status_code == status


def test_links_lead_to_the_page(url: str) -> None:
    """A link on another page may lead here: to be visited gives nothing away."""
    visit = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]

    assert call(url, "GET", "/", *visit).status_code == 200
    assert call(url, "GET", "/", ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")).status_code == 403


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if route.id != "stream"])
def test_headers(url: str, method: str, path: str) -> None:
    """Every answer forbids guessing its type and being read by others; nothing says CORS."""
    headers = call(url, method, path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert not [name for name in headers if name.startswith("access-control")]
    if path != INTAKE:
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == ("no-cache" if path in ("/", "/static/index.html") else "no-store")
        assert headers["content-security-policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e%2f%2e%2e%2fpy.typed",
        "/static//etc/passwd.txt",
        "/static/%2fetc%2fpasswd.txt",
        "/static/..%5capp.js",
        "/static/x%00.js",
        "/static/",
        "/static/vendor",
        "/static/.",
        "/static/none.js",
    ],
)
def test_nothing_but_the_page(url: str, path: str) -> None:
    """No path leads out of the page's folder, or to what is no file of it."""
    with httpx.Client() as http:
        request = http.build_request("GET", url)
        request.url = httpx.URL(url).copy_with(raw_path=path.encode())
        assert http.send(request).status_code == 404


def test_etag(url: str) -> None:
    """A file is sent again only when it changed."""
    first = httpx.get(f"{url}/")
    again = httpx.get(f"{url}/", headers={"if-none-match": first.headers["etag"]})
    other = httpx.get(f"{url}/", headers={"if-none-match": '"x"'})

    assert (first.status_code, again.status_code, again.content, other.status_code) == (200, 304, b"", 200)
