"""Run the emulator as a program of its own, until it is told to end."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from pathlib import Path

from starlette.types import ASGIApp

from dd_pa.emulator.app import Emulator
from dd_pa.emulator.plan.document import PlanFileError
from dd_pa.emulator.query.kept_segments import SegmentsError
from dd_pa.emulator.server import CannotServeError, Server, listen, port_of, url_of
from dd_pa.emulator.warehouse.database import WarehouseError
from dd_pa.emulator.warehouse.parquet_export import MAX_SECONDS_OF_FILES
from dd_pa.emulator.warehouse.warehouse import MAX_SECONDS

_TOKEN = re.compile(r"[\x21-\x7e]{16,200}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What the command can say of it; see Emulator for what the options mean."""

    host: str
    port: int
    """0: a free one."""
    api_keys: Collection[str] | None = None
    application_ids: Collection[str] | None = None
    allowed_hosts: Collection[str] = ()
    token: str | None = None
    kept: int = 100_000
    strict: bool = True
    data: Path | None = None
    segments: Path | None = None
    by_occurrence: bool = False
    plans: Collection[Path] = ()
    sample: bool = False
    read: Path | None = None

    def run(
        self,
        agents: Callable[[str, str | None], ASGIApp] | None = None,
        on_ready: Callable[[str], None] = lambda url: None,
    ) -> None:
        """Serve until SIGINT or SIGTERM; calls `on_ready` with the page's address. Raises CannotServeError.

        `agents` gets address and token and returns what answers coding agents; it is left out where other machines
        reach.
        """
        _check_exposure(self.host, self.token)
        with contextlib.closing(self._emulator()) as emulator, listen(self.host, self.port) as listener:
            if agents is not None and _is_loopback(self.host):
                emulator.agents = agents(url_of(listener), self.token)
            address = url_of(listener) + (f"/?token={self.token}" if self.token else "/")
            # uvicorn raises SIGTERM again when it is done, which ends the process: the data is closed before that.
            server = Server(emulator, port_of(listener), lambda: on_ready(address), emulator.close)
            # uvicorn raises the signal again when it is done: for Ctrl-C that is the wished end, not an error.
            with contextlib.suppress(KeyboardInterrupt):
                server.run([listener])

    def _emulator(self) -> Emulator:
        if self.read is not None and (self.data is not None or self.sample):
            raise CannotServeError(
                "--read shows the events of its folder and takes none: leave --data and --sample out"
            )
        options = {field.name: getattr(self, field.name) for field in fields(self)}
        own = {name: value for name, value in options.items() if name not in ("host", "port", "sample")}
        try:
            emulator = Emulator(**own, query_seconds=MAX_SECONDS if self.read is None else MAX_SECONDS_OF_FILES)
            if self.sample:
                emulator.add_sample()
        except (PlanFileError, SegmentsError, WarehouseError) as error:
            raise CannotServeError(str(error)) from None
        return emulator


def _check_exposure(host: str, token: str | None) -> None:
    if token is not None and not _TOKEN.fullmatch(token):
        raise CannotServeError("the token needs 16 to 200 printable ASCII characters without blanks")
    if token is None and not _is_loopback(host):
        raise CannotServeError(
            f"{host} can be reached from other machines, and the page shows every event: "
            "give --token (16 characters or more), or keep --host 127.0.0.1"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
