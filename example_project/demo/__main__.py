"""`python -m example_project.demo`: start everything, play the story, check what arrived, stay up."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NoReturn

import httpx
from rich.console import Console

from example_project.demo import rum, town
from example_project.demo.arrived import Inbox
from example_project.demo.customer import Customer
from example_project.demo.expected import Happening, expected
from example_project.demo.processes import DemoError
from example_project.demo.report import new_console, show
from example_project.demo.story import STEPS, Cast
from example_project.demo.town import PASSWORD, ROOT, STAFF, Town
from example_project.demo.verdict import judge


def main() -> int:
    options = parse()
    console = new_console()
    # A closed terminal or a `kill` must stop the servers as Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        with town.running(options.run_dir, ports(options), console.print) as servers:
            console.print("The emulator, both shops and their deliverers are running. Customers come in …")
            passed = play(console, servers, options)
            if options.once:
                return 0 if passed else 1
            invite(console, servers)
            watch(servers)
    except DemoError as error:
        console.print(str(error), style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("\nStopped.")
        return 130 if options.once else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description="Two shops that send to a local Product Analytics.")
    parser.add_argument("--once", action="store_true", help="exit after the check: 0 if all is well, else 1")
    parser.add_argument(
        "--skip", choices=[step.__name__ for step in STEPS], help="leave out a step (the check then fails)"
    )
    parser.add_argument("--run-dir", type=Path, default=ROOT / ".demo" / "run", help="databases and logs")
    parser.add_argument("--emulator-port", type=int, default=8994, metavar="PORT")
    parser.add_argument("--django-port", type=int, default=8000, metavar="PORT")
    parser.add_argument("--flask-port", type=int, default=5000, metavar="PORT")
    return parser.parse_args()


def ports(options: argparse.Namespace) -> dict[str, int]:
    return {"emulator": options.emulator_port, "django": options.django_port, "flask": options.flask_port}


def interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def play(console: Console, servers: Town, options: argparse.Namespace) -> bool:
    """Play the story, show what arrived, and return whether it is what was expected."""
    wanted = tell(servers, options.skip)
    with closing(Inbox(servers.emulator.service.url)) as inbox:
        if options.once:
            servers.stop_shops()  # they deliver what they hold; then nothing can come any more
        else:
            inbox.wait(len(wanted))
        arrived, refused = inbox.read()
    verdict = judge(wanted, arrived, refused)
    show(console, arrived, verdict)
    return verdict.is_good


def tell(servers: Town, skipped: str | None) -> list[Happening]:
    """Send the customers through the shops and return what must arrive. Raises DemoError if a page does not come."""
    with ExitStack() as stack:
        cast = assemble(stack, servers)
        try:
            for step in STEPS:
                if step.__name__ != skipped:
                    step(cast)
        except httpx.TransportError as error:
            raise DemoError(f"a shop does not answer ({type(error).__name__}).\n{logs(servers)}") from error
        except DemoError as error:
            raise DemoError(f"{error}\n{logs(servers)}") from error
        return expected(cast)


def assemble(stack: ExitStack, servers: Town) -> Cast:
    goods, plans = servers.goods.service.url, servers.plans.service.url

    def enter(name: str, shop: str, browser: rum.BrowserSession | None) -> Customer:
        return stack.enter_context(Customer(name, shop, browser))

    return Cast(
        nora=enter("Nora", goods, rum.live_v7()),
        emil=enter("Emil", goods, rum.expired_v7()),
        passer_by=enter("A passer-by", goods, None),
        ines=enter("Ines", plans, rum.live_v6()),
        sam=enter("Sam", plans, rum.sampled_out_v6()),
        staff=enter("Staff", goods, None),
    )


def logs(servers: Town) -> str:
    return "The servers' logs are in " + str(servers.goods.service.log.parent)


def invite(console: Console, servers: Town) -> None:
    emulator, goods, plans = (server.service.url for server in (servers.emulator, servers.goods, servers.plans))
    lines = (
        "",
        f"  Product Analytics   {emulator}/",
        f"                      {emulator}/sessions  your own clicks, with the servers' events between them",
        f"                      {emulator}/plan      what both shops declare, and when it was last seen",
        f"  Django shop         {goods}/        sign in as nora@example.com",
        f"                      {goods}/admin/  sign in as {STAFF}: ship an order, look at the outbox",
        f"  Flask shop          {plans}/        sign in as ines@example.com",
        f"  Password            {PASSWORD} (of all of them)",
        "",
        "Click around and watch the events arrive. Ctrl-C stops everything.",
    )
    console.print("\n".join(lines), soft_wrap=True)


def watch(servers: Town) -> NoReturn:
    """Stay until Ctrl-C. Raises DemoError if a server ends by itself."""
    while True:
        for server in servers.servers:
            if server.exit_code is not None:
                raise DemoError(server.obituary())
        time.sleep(0.3)


if __name__ == "__main__":
    sys.exit(main())
