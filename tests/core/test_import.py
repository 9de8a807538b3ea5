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

EMITTER = """
from dd_pa import Emitter, Settings
emitter = Emitter(Settings(application_id="shop", api_key="k" * 32, intake_url="http://127.0.0.1:9"))
"""

DELIVERY = """
from dd_pa import Emitter, Settings
more = {more!r}
emitter = Emitter(Settings(application_id="shop", api_key="k" * 32, intake_url={url!r}, shutdown_timeout=0.1, **more))
emitter.track("opened", usr="7")
"""

COMMAND = """
import json, sys
import django
from django.conf import settings
from django.core.management import call_command
settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", {apps}],
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
    SECRET_KEY="k", DD_PA={{"APPLICATION_ID": "shop", "API_KEY": "k" * 32, "SPOOL_DIR": None}},
)
django.setup()
call_command("check", stdout=sys.stderr)
"""

WHO_LOADS = """
import sys, threading
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "dd_pa.network.httpx_transport":
            print("loaded", threading.current_thread() is threading.main_thread())
sys.meta_path.insert(0, Watch())
{before}
from dd_pa import Emitter, Settings
emitter = Emitter(Settings(application_id="shop", api_key="k" * 32, intake_url="http://127.0.0.1:9"))
print("made")
emitter.track("opened", usr="7")
emitter.flush(1.0)
"""

LATE = """
import sys
from dd_pa import Emitter, Settings
from dd_pa.delivery.warmup import warm_up
emitter = Emitter(Settings(application_id="shop", api_key="k" * 32, intake_url="http://127.0.0.1:9"))
warm_up(emitter.settings)
known = set(sys.modules)
emitter.track("opened", usr="7")
emitter.flush(1.0)
late = sorted(name for name in set(sys.modules) - known if not name.startswith("encodings"))
print(emitter.stats().retried > 0, late)
"""

INTERRUPTED = """
import sys
from dd_pa import Emitter, Settings
emitter = Emitter(Settings(application_id="shop", api_key="k" * 32, intake_url="http://127.0.0.1:9"))
class Handler:
    def find_spec(self, name, path=None, target=None):
        if name == "h11" or name == "h2":
            sys.meta_path.remove(self)
            emitter.track("opened", usr="7")
sys.meta_path.insert(0, Handler())
import httpx
emitter.track("opened", usr="7")
print(emitter.stats().pending, flush=True)
"""

FORKED_MEANWHILE = """
midst.wait()
threading.Timer(0.05, on.set).start()
child = os.fork()
emitter.track("opened", usr="7")
emitter.flush(1.0)
os.write(1, f"{bool(child)} {emitter.stats().retried > 0}\\n".encode())  # at once: the other writes too
if child:
    os.waitpid(child, 0)
"""

FORK_OF_THE_DELIVERY = """
import os, ssl, threading
from dd_pa import Emitter, Settings
midst, on = threading.Event(), threading.Event()
make = ssl.create_default_context
def slow(**options):
    midst.set()
    on.wait()
    return make(**options)
ssl.create_default_context = slow
intake = "https://127.0.0.1:9"
emitter = Emitter(Settings(application_id="shop", api_key="k" * 32, intake_url=intake, shutdown_timeout=0.2))
emitter.track("opened", usr="7")
"""

FORK = """
import os, sys, threading
from dd_pa import Emitter, Settings
midst, on = threading.Event(), threading.Event()
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name in ("httpx", "httpx2"):
            midst.set()
            on.wait()
sys.meta_path.insert(0, Slow())
intake = "http://127.0.0.1:9"
emitter = Emitter(Settings(application_id="shop", api_key="k" * 32, intake_url=intake, shutdown_timeout=0.2))
threading.Thread(target=emitter.track, args=("opened",), kwargs={"usr": "7"}).start()
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


def test_an_emitter_loads_nothing_that_only_the_delivery_needs() -> None:
    """But the one module that registers something for the end of the process, when that would be refused."""
    assert [name for name in heavy(EMITTER) if name.split(".")[0] != "concurrent"] == []


HTTPX = {"anyio", "h11", "h2", "httpcore", "httpcore2", "httpx", "httpx2"}


@pytest.mark.parametrize(
    ("url", "more", "loaded"),
    [
        pytest.param("https://127.0.0.1:9", {}, False, id="HTTP/2 over TLS is ours"),
        pytest.param("http://127.0.0.1:9", {}, True, id="without TLS begins in HTTP/1.1"),
        pytest.param("https://127.0.0.1:9", {"proxy": "http://127.0.0.1:9"}, True, id="a proxy"),
        pytest.param("https://127.0.0.1:9", {"transport": "httpx"}, True, id="TRANSPORT"),
    ],
)
def test_an_event_loads_httpx_only_where_it_is_used(url: str, more: dict[str, str], loaded: bool) -> None:
    found = heavy(DELIVERY.format(url=url, more=more))

    assert bool(HTTPX.intersection(name.split(".")[0] for name in found)) is loaded
    assert "asyncio" in found


def test_an_event_loads_nothing_of_the_broker_where_there_is_none() -> None:
    loaded = json.loads(printed(LOADED.format(ours=DELIVERY.format(url="https://127.0.0.1:9", more={}), framework="")))

    assert [name for name in loaded if name.startswith("dd_pa.relay.")] == []


def test_a_command_of_django_that_tracks_nothing_loads_no_delivery() -> None:
    without, loaded = (
        set(json.loads(printed(f"{COMMAND.format(apps=apps)}\nprint(json.dumps(sorted(sys.modules)))")))
        for apps in ("", '"dd_pa_django"')
    )

    ours = loaded - without
    assert {name for name in ours if name.split(".")[0] in HTTPX | {"asyncio", "hpack", "ssl"}} == set()
    assert ours.isdisjoint({"dd_pa.delivery.dispatcher", "dd_pa.network.http2", "dd_pa.doctor", "dd_pa.outbox"})


@pytest.mark.parametrize(
    ("before", "made"),
    [
        pytest.param("", False, id="by itself"),
        pytest.param("import gunicorn", True, id="gunicorn, whose workers share what its master has loaded"),
        pytest.param(
            "from gevent import monkey; monkey.patch_all()", True, id="gevent, whose greenlets an import would stop"
        ),
    ],
)
def test_the_first_event_loads_the_rest_or_a_servers_emitter(before: str, made: bool) -> None:
    """Never the delivery's thread: a fork in the midst would leave the child unable to deliver."""
    said = printed(WHO_LOADS.format(before=before)).splitlines()

    assert said == (["loaded True", "made"] if made else ["made", "loaded True"])


def test_a_first_event_that_interrupts_the_import_of_the_same_is_delivered_all_the_same() -> None:
    """A signal's handler may track in the midst of any import; the next event begins the delivery."""
    assert printed(INTERRUPTED) == "2\n"


def test_the_delivery_thread_imports_nothing() -> None:
    assert printed(LATE) == "True []\n"


def test_a_fork_in_the_midst_of_loading_leaves_the_child_able_to_deliver() -> None:
    assert sorted(printed(FORK + FORKED_MEANWHILE).splitlines()) == ["False True", "True True"]


def test_a_fork_while_the_delivery_thread_sets_up_tls_leaves_the_child_able_to_deliver() -> None:
    assert sorted(printed(FORK_OF_THE_DELIVERY + FORKED_MEANWHILE).splitlines()) == ["False True", "True True"]


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
