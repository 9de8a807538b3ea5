"""Calls `track()` for `benchmarks.instructions`, with whichever revision is on the path; public names only."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from dd_pa import Emitter, Settings

WHO: dict[str, Any] = {"usr": "user-12345", "account": "acme", "session": "2b1b778e-9ef6-45d6-89b8-e68ca6ceb436"}
FLAT: dict[str, Any] = {"order_id": "o-123456", "total": 89.5, "items": 3, "currency": "EUR", "express": True}
ATTRIBUTES = {
    "memory": FLAT,
    "spool": FLAT,
    "decimal": FLAT | {"total": Decimal("89.50")},
    "nested": {
        "order": {"id": "o-4711", "total": 89.5, "currency": "EUR", "items": 3},
        "customer": {"tier": "premium"},
    },
    "identity": FLAT,
    "many": {f"field_{number}": f"value {number}" for number in range(200)},
}


class Request:
    """Who acts, as a web framework's glue gives it."""

    usr, account, session = WHO["usr"], WHO["account"], WHO["session"]
    consent = None


def main(case: str, directory: str, few: int, many: int, rounds: int) -> None:
    logging.getLogger("dd_pa").setLevel(logging.CRITICAL)
    store: dict[str, Any] = {"spool_dir": None}
    if case == "spool":  # nothing is delivered here: only the caller's part is counted
        store = {"spool_dir": f"{directory}/spool", "delivery": "process"}
    settings = Settings(application_id="bench", api_key="bench", intake_url="http://127.0.0.1:9", **store)
    request = Request()
    emitter = Emitter(settings, identity=(lambda: request) if case == "identity" else None)
    if case in ("literal", "typed"):
        call = _written_out(emitter, case)
    else:
        call = _given(emitter, ATTRIBUTES[case], {} if case == "identity" else WHO)

    gc.disable()
    call(50)
    control("-i", "on")
    call(few)
    control("-d", "warm")
    for _ in range(rounds):
        call(few)
        control("-d", "few")
        call(many)
        control("-d", "many")
    os._exit(0)


def _given(emitter: Emitter, attributes: dict[str, Any], who: dict[str, Any]) -> Callable[[int], None]:
    def call(times: int) -> None:
        for _ in range(times):
            emitter.track("checkout.completed", attributes, **who)

    return call


def _written_out(emitter: Emitter, case: str) -> Callable[[int], None]:
    """Return calls that make what they track: a dict, or an event of a class."""

    def literal(times: int) -> None:
        for _ in range(times):
            order = {"id": "o-123456", "express": True}
            total = Decimal("89.50")
            attributes = {"order_id": "o-123456", "total": total, "items": 3, "tags": ["a", "b"], "order": order}
            emitter.track("checkout.completed", attributes, **WHO)

    if case == "literal":
        return literal
    from msgspec import Struct

    from dd_pa import Event

    class Order(Struct):
        id: str
        express: bool

    class CheckoutCompleted(Event, name="checkout.completed"):
        order_id: str
        total: Decimal
        items: int
        tags: list[str]
        order: Order

    def typed(times: int) -> None:
        for _ in range(times):
            order = Order("o-123456", True)
            total = Decimal("89.50")
            event = CheckoutCompleted(order_id="o-123456", total=total, items=3, tags=["a", "b"], order=order)
            emitter.track(event, **WHO)

    return typed


def control(*what: str) -> None:
    """Tell valgrind to begin counting, or to write down and begin again."""
    subprocess.run(["callgrind_control", *what, str(os.getpid())], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
