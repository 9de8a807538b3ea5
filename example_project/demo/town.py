"""What runs in the demo: a local Product Analytics, the two shops, and the deliverers of their outboxes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from example_project.demo import ports
from example_project.demo.processes import DemoError, Server, Service, stop

ROOT = Path(__file__).resolve().parents[2]
STAFF = "staff@northlight.example"
PASSWORD = "workshop-demo-1"
"""Of every account in the demo: nothing here is worth a better one, and it listens on this machine only."""

MANAGE = [sys.executable, str(ROOT / "example_project" / "django_shop" / "manage.py")]
FLASK = [sys.executable, "-m", "flask", "--app=example_project.flask_shop:create_app"]

SHOPS = ("django_shop", "flask_shop")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """Where everything runs."""

    emulator: Server
    goods: Server
    plans: Server
    deliverers: Sequence[Server]

    @property
    def servers(self) -> list[Server]:
        return [self.goods, self.plans, *self.deliverers, self.emulator]

    def stop_shops(self) -> None:
        """Stop both shops as a deployment does: what they still hold is delivered first, and then their outboxes.

        Raises DemoError if an outbox cannot be emptied.
        """
        stop([self.goods, self.plans])
        stop(self.deliverers)
        for deliverer in self.deliverers:
            service = deliverer.service
            run([*service.command, "--once"], service.env, f"{service.name} did not empty it")


@contextmanager
def running(directory: Path, wanted: dict[str, int], say: Say) -> Iterator[Town]:
    """Run a new town in a directory while the block lasts; `wanted` are the ports, 0 for any. Raises DemoError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    chosen = {name: choose(name, port, say) for name, port in wanted.items()}
    env = environment(directory, {name: f"http://127.0.0.1:{port}" for name, port in chosen.items()})
    prepare(env, directory)
    started: list[Server] = []
    try:
        for service in services(directory, chosen, env):
            started.append(Server(service, ROOT))
        for server in started:
            server.wait_until_ready()
        emulator, goods, plans, *deliverers = started
        yield Town(emulator=emulator, goods=goods, plans=plans, deliverers=deliverers)
    finally:
        # The shops first: they deliver what they hold before they end.
        stop(started[1:])
        stop(started[:1])


def choose(name: str, port: int, say: Say) -> int:
    if port and ports.is_free(port):
        return port
    free = ports.any_free()
    if port:
        say(f"Port {port} ({name}) is taken; using {free} instead.")
    return free


def environment(directory: Path, origins: Mapping[str, str]) -> dict[str, str]:
    """Return what the shops see: nothing of the caller's own Datadog settings, as the demo must send nothing there."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("DD_", "DJANGO_", "FLASK_"))}
    return {
        **inherited,
        "DD_API_KEY": "any-key-will-do-for-the-emulator",
        "DD_PA_INTAKE_URL": origins["emulator"],
        "DD_PA_CLIENT_TOKEN": "pub-any-token-will-do-for-the-emulator",
        "DD_PA_RUM_OPTIONS": json.dumps(browser_sdk(origins)),
        "DD_PA_SPOOL_DIR": str(directory / "spool"),
        "DD_ENV": "demo",
        "SHOP_RUN_DIR": str(directory),
        "PYTHONUNBUFFERED": "1",
    }


def browser_sdk(origins: Mapping[str, str]) -> dict[str, Any]:
    """Return how the pages' SDK reaches the emulator, and which requests of theirs name the session in `baggage`."""
    return {"proxy": f"{origins['emulator']}/rum", "allowedTracingUrls": [origins["django"], origins["flask"]]}


def prepare(env: dict[str, str], directory: Path) -> None:
    """Begin with empty shops: a dozen products, a member of staff, and nobody else."""
    for database in directory.glob("*.sqlite3*"):
        database.unlink()
    (directory / "logs").mkdir(exist_ok=True)
    command = [*MANAGE, "open_shop", f"--staff={STAFF}", f"--password={PASSWORD}"]
    run(command, env, "the Django shop's database could not be made")


def run(command: Sequence[str], env: Mapping[str, str], problem: str) -> None:
    """Run a command to its end. Raises DemoError, with what it said, if that is not a good one."""
    answer = subprocess.run(  # noqa: S603 - our own command
        command, cwd=ROOT, env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if answer.returncode:
        raise DemoError(f"{problem}:\n{answer.stdout}")


def services(directory: Path, chosen: dict[str, int], env: dict[str, str]) -> list[Service]:
    python, here = sys.executable, "--host=127.0.0.1"
    emulator = [command_line(), "emulator", f"--port={chosen['emulator']}", "--sample"]
    emulator += [f"--plan={ROOT / 'example_project' / shop / 'events.lock.json'}" for shop in SHOPS]
    django = [
        python,
        "-m",
        "uvicorn",
        "example_project.django_shop.asgi:application",
        here,
        f"--port={chosen['django']}",
    ]
    django += ["--lifespan=off", "--log-level=warning", "--timeout-graceful-shutdown=3"]
    flask = [python, "-m", "gunicorn", "example_project.flask_shop:create_app()", f"--bind=127.0.0.1:{chosen['flask']}"]
    flask += ["--workers=2", "--threads=4", "--log-level=warning", "--graceful-timeout=3"]
    rows = [
        ("the emulator", "emulator", emulator, "/api/emulator/status"),
        ("the Django shop", "django", django, "/static/look/shop.css"),
        ("the Flask shop", "flask", flask, "/look/shop.css"),
        ("the deliverer of the Django shop's outbox", "django-outbox", [*MANAGE, "dd_pa_deliver"], ""),
        ("the deliverer of the Flask shop's outbox", "flask-outbox", [*FLASK, "dd-pa", "deliver"], ""),
    ]
    return [
        Service(
            name=name,
            command=command,
            env=env,
            url=f"http://127.0.0.1:{chosen[key]}" if health else "",
            health=health,
            log=directory / "logs" / f"{key}.log",
        )
        for name, key, command, health in rows
    ]


def command_line() -> str:
    """Find `dd-pa` beside this Python, activated or not."""
    beside = Path(sys.executable).parent / "dd-pa"
    found = str(beside) if beside.exists() else shutil.which("dd-pa")
    if not found:
        raise DemoError("there is no dd-pa command beside this Python: pip install -e '.[emulator]'")
    return found
