"""What importing and starting costs, the first event included: `python -m benchmarks.start`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from benchmarks import far_intake, sdks, sink
from benchmarks.chart import Bar, Chart
from benchmarks.report import Aim, Section, Table, aims, run
from benchmarks.rounds import Spread, in_turns, spread

ROUNDS = 7
TEXT = f"""\
Fresh processes, in turns, {ROUNDS} times. A process imports what the row says and is then *ready*; that moment is taken
on the wall from its start, and the CPU time that all of its threads have used until then. *First event*: `track()` has
returned; the event is delivered in the background, so what loads for that counts in the CPU until the end alone.
*Until the end*: the CPU of the whole process, its exit included, at which the event is delivered where the SDK does
that by itself. A site of Django or Flask is one with its WSGI application made and nothing else; the event goes through
`dd_pa_django` or `dd_pa_flask` as they are installed by their documentation. The intake is a local process: over HTTP/2
and TLS for dd-pa, as in production, over plain HTTP for the others. All modules are compiled before the first round, as
an installer leaves them.
"""
PEERS = ("posthog", "sentry-sdk (logs)", "opentelemetry-sdk (logs)")
PYTHON, DJANGO, FLASK = "Python alone", "Django alone", "Flask alone"

_DJANGO = """
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"{apps}],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"{middleware}],
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
    SECRET_KEY="bench", ROOT_URLCONF="benchmarks.start", {ours}
)
from django.core.wsgi import get_wsgi_application
get_wsgi_application()
"""
_SETTINGS = {"APPLICATION_ID": "bench", "API_KEY": "bench"}
_IN_DJANGO = _DJANGO.format(
    apps=', "dd_pa_django"',
    middleware=', "dd_pa_django.middleware.ProductAnalyticsMiddleware"',
    ours=f'DD_PA={_SETTINGS!r} | {{"INTAKE_URL": URL, "CA_FILE": CA_FILE, "SPOOL_DIR": DIRECTORY + "/spool"}}',
)
_IN_FLASK = f"""
from flask import Flask
from dd_pa_flask import ProductAnalytics
app = Flask("shop")
settings = {_SETTINGS!r} | {{"INTAKE_URL": URL, "CA_FILE": CA_FILE, "SPOOL_DIR": DIRECTORY + "/spool"}}
app.config.update({{f"DD_PA_{{name}}": value for name, value in settings.items()}})
pa = ProductAnalytics(app)
"""
_EMITTER = f"""
from dd_pa import Emitter, Settings
emitter = Emitter(Settings(intake_url=URL, ca_file=CA_FILE, spool_dir=DIRECTORY + "/spool",
                           **{{name.lower(): value for name, value in {_SETTINGS!r}.items()}}))
"""
_PEER = "from benchmarks import sdks; sdk = sdks.PEERS[{name!r}](sdks.Place(url=URL, directory=DIRECTORY)); "
_FIRE = f"track({sdks.NAME!r}, {sdks.NESTED!r}, usr={sdks.USER!r}, session={sdks.SESSION!r})"

urlpatterns: list[object] = []

PROGRAMS = {
    PYTHON: "",
    "dd-pa: import": "import dd_pa",
    "dd-pa: an emitter": _EMITTER,
    "dd-pa: first event": f"{_EMITTER}emitter.{_FIRE}",
    **{f"{name}: first event": _PEER.format(name=name) + "sdk.fire(sdk.attributes())" for name in PEERS},
    DJANGO: _DJANGO.format(apps="", middleware="", ours=""),
    "dd-pa in Django: nothing tracked": _IN_DJANGO,
    "dd-pa in Django: first event": f"{_IN_DJANGO}from dd_pa_django import track\n{_FIRE}",
    FLASK: "from flask import Flask; app = Flask('shop')",
    "dd-pa in Flask: nothing tracked": _IN_FLASK,
    "dd-pa in Flask: first event": f"{_IN_FLASK}with app.app_context(): pa.{_FIRE}",
}
_READY = """
import sys, time
print(time.time() - STARTED, time.process_time(), len(sys.modules), flush=True)
"""


class Started(NamedTuple):
    """What one process took."""

    wall: float
    """Milliseconds until it was ready."""

    cpu: float
    """Of CPU until then."""

    modules: int
    whole: float
    """Milliseconds of CPU until the end."""


class Place(NamedTuple):
    """Where the programs find what they need."""

    url: str
    far: far_intake.FarIntake
    compiled: str
    """Directory of the modules' bytecode: an environment that keeps Python from writing any would have it measured."""


def start(place: Place, name: str) -> Started:
    """Run a program once."""
    url = place.far.url if "dd-pa" in name else place.url
    with tempfile.TemporaryDirectory() as directory:
        environ = {**os.environ, "DD_PA_TEST_RUN": "0", "PYTHONPYCACHEPREFIX": place.compiled}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        given = f"URL, DIRECTORY, CA_FILE = {url!r}, {directory!r}, {place.far.ca_file!r}; STARTED = {time.time()!r}\n"
        command = [sys.executable, "-c", given + PROGRAMS[name] + _READY]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ) as process:
            assert process.stdout is not None
            said = process.stdout.read().split()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or len(said) < 3:
        raise RuntimeError(f"{name} failed with {process.returncode}")
    wall, cpu, modules = said[-3:]
    return Started(float(wall) * 1000, float(cpu) * 1000, int(modules), (used.ru_utime + used.ru_stime) * 1000)


def benchmark(small: bool) -> Section:
    with sink.running() as url, far_intake.running(0) as far, tempfile.TemporaryDirectory() as compiled:
        measure = partial(start, Place(url, far, compiled))
        for name in PROGRAMS:
            measure(name)
        found = in_turns(list(PROGRAMS), 1 if small else ROUNDS, measure)
    wall = {name: spread(one.wall for one in all_of_it) for name, all_of_it in found.items()}
    cpu = {name: spread(one.cpu for one in all_of_it) for name, all_of_it in found.items()}
    whole = {name: spread(one.whole for one in all_of_it) for name, all_of_it in found.items()}
    rows = [
        [
            name,
            *wall[name].shown(",.0f"),
            f"{wall[name].least - wall[_base(name)].least:+,.0f}",
            f"{cpu[name].least:,.0f}",
            f"{whole[name].least:,.0f}",
            f"{found[name][0].modules:,}",
        ]
        for name in PROGRAMS
    ]
    columns = ["", "ready, ms, least", "median", "more than without", "CPU until then", "CPU until the end", "modules"]
    ours = [name for name in PROGRAMS if name.startswith("dd-pa in")]
    return Section(
        name="start",
        text=TEXT,
        tables=[
            Table(title="Import and start, ms", columns=columns, rows=rows),
            aims(*_aims(ours, wall, cpu)),
        ],
        charts=[
            Chart(
                name="start",
                title="From the start of a process until it is ready, least of the rounds",
                unit="ms",
                bars=[Bar(name, figure.least, f"{figure.least:,.0f}") for name, figure in wall.items()],
            )
        ],
    )


def _aims(ours: list[str], wall: dict[str, Spread], cpu: dict[str, Spread]) -> Iterator[Aim]:
    for name in ours:
        for what, figures in (("on the wall", wall), ("of CPU", cpu)):
            more = figures[name].least - figures[_base(name)].least
            yield Aim(f"{name}, {what}", "≤ 60 ms more than without", f"{more:.0f} ms", more <= 60)


def _base(name: str) -> str:
    return DJANGO if "Django" in name else FLASK if "Flask" in name else PYTHON


if __name__ == "__main__":
    run(benchmark)
