from __future__ import annotations

import ast
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from dd_pa.cli.emulator import command
from dd_pa.emulator import Emulator, app
from dd_pa.emulator.server import CannotServeError
from dd_pa.emulator.service import Service
from tests.emulator.client import INTAKE, KEY, Client, event

TOKEN = "0123456789abcdef"
COMMAND = [sys.executable, "-X", "dev", "-W", "error", "-c", "from dd_pa.cli.emulator import command; command()"]


@contextmanager
def started(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command in a process of its own; yields it and the address it prints."""
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        yield process, line.split()[3]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)])
def test_stops_at_once(number: signal.Signals, code: int) -> None:
    """Ctrl-C and SIGTERM end it fast and silently, whatever is open: a stream, a request, half a request."""
    with started() as (process, url), httpx.Client(base_url=url, timeout=20) as http, ExitStack() as stack:
        port = httpx.URL(url).port
        half = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        half.sendall(f"POST {INTAKE} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 9\r\n\r\n{{".encode())
        stream = stack.enter_context(http.stream("GET", "/api/emulator/stream"))
        lines = stream.iter_lines()
        next(lines)
        start = time.monotonic()
        process.send_signal(number)
        output, errors = process.communicate(timeout=30)

    assert (process.returncode, output, errors) == (code, "", "")
    assert time.monotonic() - start < 15  # half of what a request's body may take


def test_a_stop_ends_delays() -> None:
    """A request that is being delayed is answered when the emulator stops."""
    patient = Emulator()
    patient.fail(delay=600)
    with ThreadPoolExecutor() as pool, httpx.Client(timeout=20) as http:
        with patient.running() as url:
            answer = pool.submit(http.post, url + INTAKE, json=event(), headers={"dd-api-key": KEY})
            while patient.faults:
                pass
        assert answer.result().status_code == 202


def test_address_is_printed() -> None:
    """One line says where the page is, and it is there."""
    with started() as (_, url):
        assert httpx.get(url).status_code == 200


def test_options() -> None:
    """Keys, applications and names come from the command line."""
    options = ["--api-key", KEY, "--allow-host", "shop.test:1", "--lenient", "--keep", "2", "--application-id", "x"]
    with started(*options) as (_, url), httpx.Client(base_url=url, headers={"host": "shop.test:1"}) as http:
        client = Client(http)
        answers = [client.send(event(usr={"id": str(n)})).status_code for n in range(3)]
        answers.append(client.send(event(), dd_api_key="other").status_code)

        assert answers == [202, 202, 202, 403]
        assert client.get("status")["kept"] == 2


def test_port_taken(url: str) -> None:
    """A port in use is said with the way out."""
    port = httpx.URL(url).port
    result = CliRunner().invoke(command, ["--port", str(port)])

    assert result.exit_code == 1
    assert result.output == (
        f"Error: port {port} on 127.0.0.1 is taken, perhaps by another emulator: stop it, or give another --port\n"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(["--host", "0.0.0.0"], "0.0.0.0 can be reached from other machines", id="any"),
        pytest.param(["--host", "::"], ":: can be reached from other machines", id="any-6"),
        pytest.param(["--host", "192.0.2.1"], "192.0.2.1 can be reached from other machines", id="address"),
        pytest.param(["--host", "shop.example"], "shop.example can be reached from other machines", id="name"),
        pytest.param(["--host", "192.0.2.1", "--token", TOKEN], "cannot listen on 192.0.2.1 port 0: ", id="not-ours"),
        pytest.param(["--token", "short"], "the token needs 16 to 200 printable ASCII characters", id="short-token"),
        pytest.param(["--token", "with a blank in it"], "the token needs 16 to 200 printable", id="blank-token"),
    ],
)
def test_refuses_to_start(options: list[str], message: str) -> None:
    """Nothing is shown to other machines by accident."""
    result = CliRunner().invoke(command, ["--port", "0", *options])

    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {message}")


def test_no_thread_is_left() -> None:
    """An emulator that ran leaves no thread and no port behind."""
    before = set(threading.enumerate())
    emulator = Emulator()
    with emulator.running() as url:
        httpx.get(f"{url}/api/emulator/events")
    with emulator.running(port=httpx.URL(url).port or 0) as again:
        assert httpx.get(f"{again}/api/emulator/status").status_code == 200

    assert set(threading.enumerate()) <= before
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_taken_port_in_tests(url: str) -> None:
    """The same for the form that tests use."""
    with pytest.raises(CannotServeError, match="is taken"), Emulator().running(port=httpx.URL(url).port or 0):
        pass


@pytest.mark.parametrize(
    ("host", "token", "address"),
    [
        pytest.param("127.0.0.1", None, r"http://127\.0\.0\.1:\d+/", id="loopback"),
        pytest.param("localhost", None, r"http://(127\.0\.0\.1|\[::1\]):\d+/", id="localhost"),
        pytest.param("0.0.0.0", TOKEN, rf"http://127\.0\.0\.1:\d+/\?token={TOKEN}", id="any"),
    ],
)
def test_run(host: str, token: str | None, address: str) -> None:
    """It tells an address that works on this machine, and returns after Ctrl-C."""
    told: list[str] = []

    def stop(url: str) -> None:
        told.append(url)
        signal.raise_signal(signal.SIGINT)

    Service(host=host, port=0, token=token).run(on_ready=stop)

    assert [bool(re.fullmatch(address, url)) for url in told] == [True], told


def test_run_checks_first() -> None:
    """The function behind the command refuses by exception."""
    with pytest.raises(CannotServeError, match="give --token"):
        Service(host="0.0.0.0", port=0).run()


class TestToken:
    """The page of an emulator that other machines can reach."""

    @pytest.fixture
    def http(self) -> Iterator[httpx.Client]:
        with Emulator(token=TOKEN).running() as url, httpx.Client(base_url=url) as http:
            yield http

    @pytest.mark.parametrize("path", ["/", "/api/emulator/events", "/api/emulator/stream", "/nothing", "/?token=wrong"])
    def test_without(self, http: httpx.Client, path: str) -> None:
        """Without it nothing is shown, but that it is needed."""
        assert http.get(path).status_code == 401

    @pytest.mark.parametrize("path", ["/api/emulator/events?token=" + TOKEN, f"/?token={TOKEN}&token={TOKEN}"])
    def test_only_in_the_address_of_the_page(self, http: httpx.Client, path: str) -> None:
        """The token is taken from the page's address only."""
        assert http.get(path).status_code == 401

    @pytest.mark.parametrize("value", ["x", "é", TOKEN[:-1]])
    def test_wrong(self, http: httpx.Client, value: str) -> None:
        """A wrong one is none, in every place."""
        cookie = f"dd_pa_emulator={value}".encode()
        bearer = f"Bearer {value}".encode()

        assert http.get("/", params={"token": value}).status_code == 401
        assert http.get("/", headers=[(b"cookie", cookie), (b"authorization", bearer)]).status_code == 401

    def test_once_in_the_address(self, http: httpx.Client) -> None:
        """It is taken from the address once, kept in a cookie that scripts and other sites do not get."""
        first = http.get("/", params={"q": "a b", "token": TOKEN, "status": ""})
        cookie = first.headers["set-cookie"]

        assert (first.status_code, first.headers["location"]) == (303, "/?q=a+b&status=")
        assert TOKEN not in cookie
        assert cookie.partition("; ")[2] == "HttpOnly; Path=/; SameSite=strict"
        assert [http.get(path).status_code for path in ("/", "/api/emulator/events", "/nothing")] == [200, 200, 404]

    def test_bearer(self, http: httpx.Client) -> None:
        """Programs send it as a header."""
        headers = {"authorization": f"Bearer {TOKEN}"}

        assert http.get("/api/emulator/events", headers=headers).status_code == 200

    def test_events_need_none(self, http: httpx.Client) -> None:
        """Events are taken with their key, as before; the files of the page are no secret."""
        assert Client(http).send(event()).status_code == 202
        assert http.get("/static/index.html").status_code == 200


def test_wait_for(emulator: Emulator, client: Client) -> None:
    """A test waits until its events are there; a late one says what came instead."""
    sender = threading.Thread(target=lambda: [client.send(event()), client.send(b"{"), client.send(event())])
    sender.start()
    events = emulator.wait_for(2)
    sender.join()

    assert events == [event()] * 2
    with pytest.raises(TimeoutError, match=r"2 of 3 events arrived within 0 s; rejected: 400 Malformed payload: .*"):
        emulator.wait_for(3, timeout=0)


def test_imports() -> None:
    """The emulator shares nothing with the rest of the package, and imports nothing that can send a request."""
    folder = Path(app.__file__).parent
    trees = [ast.parse(file.read_text()) for file in folder.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    modules = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}

    assert {name for name in modules if name.startswith("dd_pa") and not name.startswith("dd_pa.emulator")} == set()
    assert {name.partition(".")[0] for name in modules} - sys.stdlib_module_names == {
        "dd_pa",
        "duckdb",
        "h2",
        "lark",
        "starlette",
        "uvicorn",
    }
    assert modules.isdisjoint({"http.client", "urllib.request", "ssl", "subprocess", "pickle"})
