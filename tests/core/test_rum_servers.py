from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from tests.core.rum_samples import A, B

ROOT = Path(__file__).parents[2]
TIMEOUT = 10.0

WSGIREF = ["tests.core.rum_apps", "wsgiref", "{fd}"]
WERKZEUG = ["tests.core.rum_apps", "werkzeug", "{fd}"]
GUNICORN = ["gunicorn", "--no-control-socket", "--bind=fd://{fd}", "tests.core.rum_apps:wsgi_app"]
UVICORN = ["uvicorn", "--fd={fd}", "tests.core.rum_apps:asgi_app"]
HYPERCORN = ["hypercorn", "--bind=fd://{fd}", "--certfile={pem}", "--keyfile={pem}", "tests.core.rum_apps:asgi_app"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A running server and a client that reaches it."""

    client: httpx.Client
    """Bound to the server's address; speaks its version of HTTP."""

    http_version: str
    """The version that answers must come in."""

    def read(self, *fields: tuple[str, str]) -> dict[str, Any]:
        """Send the fields, each as its own, and return what the application saw."""
        response = self.client.get("/", headers=[("accept", "*/*"), *fields])

        assert (response.http_version, response.status_code) == (self.http_version, 200)
        answer: dict[str, Any] = response.json()
        return answer


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority that only this test's client trusts."""
    return trustme.CA()


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((WSGIREF, "HTTP/1.0"), id="wsgiref"),
        pytest.param((WERKZEUG, "HTTP/1.0"), id="werkzeug"),
        pytest.param((GUNICORN, "HTTP/1.1"), id="gunicorn"),
        pytest.param((UVICORN, "HTTP/1.1"), id="uvicorn"),
        pytest.param((HYPERCORN, "HTTP/1.1"), id="hypercorn-http1"),
        pytest.param((HYPERCORN, "HTTP/2"), id="hypercorn-http2"),
    ],
)
def site(
    request: pytest.FixtureRequest, authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Each server in a process of its own, on a socket that listens before it starts."""
    command, http_version = request.param
    folder = tmp_path_factory.mktemp("server")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "site.pem"))
    trust = ssl.create_default_context()
    authority.configure_trust(trust)

    with _served(command, folder) as port:
        url = f"{'https' if command is HYPERCORN else 'http'}://127.0.0.1:{port}"
        http2 = http_version == "HTTP/2"
        with httpx.Client(base_url=url, verify=trust, http2=http2, timeout=TIMEOUT, trust_env=False) as client:
            yield Site(client=client, http_version=http_version)


@contextlib.contextmanager
def _served(command: list[str], folder: Path) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener, (folder / "log").open("wb") as log:
        port: int = listener.getsockname()[1]
        arguments = [part.format(fd=listener.fileno(), pem=folder / "site.pem") for part in command]
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], cwd=ROOT, pass_fds=[listener.fileno()], stdout=log, stderr=log
        )

    # From here on only the server holds the socket: when it dies the client is refused and need not wait.
    try:
        yield port
    finally:
        process.terminate()
        process.wait(timeout=TIMEOUT)


def _cookie(session_id: str) -> str:
    now = int(time.time() * 1000)
    return f"_dd_s_v2=aid={B}&id={session_id}&created={now}&expire={now + 900_000}&c=0"


def test_cookie_in_one_field(site: Site) -> None:
    """The common case: one field with all cookies."""
    answer = site.read(("cookie", f"a=1; {_cookie(A)}; b=2"))

    assert answer["session"] == A


@pytest.mark.parametrize(
    "split",
    [
        pytest.param(lambda ours: ["a=1; b=2", ours], id="last"),
        pytest.param(lambda ours: [ours, "a=1; b=2"], id="first"),
        pytest.param(lambda ours: ["a=1", ours, "b=2"], id="each-its-own"),
        pytest.param(lambda ours: [f"a=1; {ours}", "b=2; c=3"], id="inside"),
    ],
)
def test_cookie_split_over_fields(site: Site, split: Callable[[str], list[str]]) -> None:
    """Whatever a server makes of several Cookie fields, the session is found."""
    fields = split(_cookie(A))
    answer = site.read(*(("cookie", field) for field in fields))

    assert answer["session"] == A
    assert [field for field in fields if field not in answer["cookie"]] == []


def test_baggage_split_over_fields(site: Site) -> None:
    """The last of several Baggage fields is the SDK's, and it wins over the cookie."""
    answer = site.read(("baggage", f"session.id={B}"), ("cookie", _cookie(B)), ("baggage", f"session.id={A},user.id=u"))

    assert answer["session"] == A
    assert B in answer["baggage"]


def test_hostile_fields(site: Site) -> None:
    """Malformed fields, as far as a server lets them through, hide no session."""
    answer = site.read(("cookie", 'bad name{=x; "open'), ("cookie", _cookie(A)), ("baggage", "session.id=%zz;;=,"))

    assert answer["session"] == A


def test_no_fields(site: Site) -> None:
    """A request without cookies and baggage has no session."""
    assert site.read() == {"session": None, "cookie": "", "baggage": ""}
