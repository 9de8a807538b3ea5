"""What `import` of our packages loads: programs that track nothing do not pay for what delivers."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "anyio",
    "asyncio",
    "click",
    "concurrent",
    "email",
    "h2",
    "hpack",
    "html",
    "http",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "importlib.metadata",
    "multiprocessing",
    "rich",
    "ssl",
    "subprocess",
}
"""Modules of which a package of ours loads no more than its framework has."""

LOADED = """
import json, sys
{framework}
before = set(sys.modules)
{ours}
print(json.dumps(sorted(set(sys.modules) - before)))
"""

DISABLED = """
from dd_pa import Emitter, Settings
emitter = Emitter(Settings(application_id="shop", api_key="k" * 32, enabled=False))
emitter.track("opened", usr="7")
"""

DELIVERY = """
import sys
from dd_pa import Emitter, Settings
emitter = Emitter(Settings(application_id="shop", api_key="k" * 32, intake_url="http://127.0.0.1:9"))
known = set(sys.modules)
emitter.track("opened", usr="7")
emitter.flush(1.0)
late = sorted(name for name in set(sys.modules) - known if not name.startswith("encodings"))
print(emitter.stats().retried > 0, late)
"""


def printed(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout


def heavy(ours: str, framework: str = "") -> list[str]:
    loaded = json.loads(printed(LOADED.format(ours=ours, framework=framework)))
    return [name for name in loaded if any(name == top or name.startswith(f"{top}.") for top in HEAVY)]


@pytest.mark.parametrize(
    ("ours", "framework"),
    [
        ("import dd_pa", ""),
        (DISABLED, ""),
        ("import dd_pa_django", "import django.http, django.utils.log"),
        ("import dd_pa_flask", "import flask"),
    ],
    ids=["core", "disabled", "django", "flask"],
)
def test_nothing_that_only_the_delivery_needs_is_loaded_before_it(ours: str, framework: str) -> None:
    assert heavy(ours, framework) == []


def test_the_delivery_thread_imports_nothing() -> None:
    assert printed(DELIVERY) == "True []\n"


WINDOWS = """
import importlib, os, signal, sys
sys.modules["fcntl"] = None
for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "O_DIRECTORY", "register_at_fork", "fork", "geteuid"):
    delattr(os, name)
for name in ("pthread_sigmask", "sigwait", "SIGALRM"):
    delattr(signal, name)
importlib.import_module({package!r})
print("imported")
"""


@pytest.mark.parametrize(
    "package",
    ["dd_pa", "dd_pa.testing", "dd_pa.outbox.sqlalchemy", "dd_pa_django", "dd_pa_django.middleware", "dd_pa_flask"],
)
def test_what_windows_lacks_is_not_needed_to_import(package: str) -> None:
    """There is no `fcntl` and no fork there; the spool is refused when it is asked for."""
    assert printed(WINDOWS.format(package=package)) == "imported\n"
