from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from dd_pa.emulator import Emulator
from tests.browser.pages import SDK_COOKIE
from tests.browser.visitor import Visitor

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium")
FLAGS = ["no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-sync"]
OPTIONS = {"v6": "window.DD_PA_RUM_OPTIONS = { propagateTraceBaggage: true }", "v7": ""}  # version 7 does so by itself

Sites = dict[str, str]
MakeVisitor = Callable[[str, str], Visitor]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Not for the session: as long as Playwright runs, no other event loop can run in this thread.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[f"--{flag}" for flag in FLAGS])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def intake() -> Iterator[tuple[Emulator, str]]:
    """The Product Analytics that takes the events of both sites and of the browser."""
    emulator = Emulator()
    with emulator.running() as url:
        yield emulator, url


@pytest.fixture(scope="session")
def sites(intake: tuple[Emulator, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    """Both sites, each a process of its own, by the name of the framework; each is the other's other site."""
    directory = str(tmp_path_factory.mktemp("sites"))
    with ExitStack() as stack:
        sockets = {name: stack.enter_context(socket.create_server(("127.0.0.1", 0))) for name in ("django", "flask")}
        origins = {name: f"http://127.0.0.1:{listener.getsockname()[1]}" for name, listener in sockets.items()}
        for name, listener in sockets.items():
            other = origins["flask" if name == "django" else "django"]
            stack.enter_context(_served(name, listener, intake[1], other, directory))
        yield origins


@contextmanager
def _served(name: str, listener: socket.socket, intake: str, other: str, directory: str) -> Iterator[None]:
    # The socket listens already: whoever comes before the server is there waits for it.
    fd = listener.fileno()
    command = [sys.executable, "-m", f"tests.browser.{name}_site", str(fd), intake, other, directory]
    log = Path(directory, f"{name}.log")
    with log.open("wb") as told:
        process = subprocess.Popen(command, cwd=ROOT, pass_fds=[fd], stderr=told)
    try:
        yield
        assert process.poll() is None, log.read_text()
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture
def make_visitor(browser: Browser, intake: tuple[Emulator, str], sites: Sites) -> Iterator[MakeVisitor]:
    """Return what makes a visitor of a site, with a new browser profile and a version of the SDK."""
    emulator = intake[0]
    emulator.clear()
    contexts: list[BrowserContext] = []

    def make(site: str, sdk: str) -> Visitor:
        context = browser.new_context()
        contexts.append(context)
        context.set_default_timeout(30_000)
        context.add_cookies([{"name": SDK_COOKIE, "value": sdk, "url": sites[site]}])
        context.add_init_script(OPTIONS[sdk])
        return Visitor(context, emulator, sites[site], sites["flask" if site == "django" else "django"])

    yield make
    for context in contexts:
        context.close()
