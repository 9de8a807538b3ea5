from __future__ import annotations

from typing import TYPE_CHECKING

from dd_pa.capture.event import BuiltEvent
from dd_pa.network.http2_outlet import Http2Outlet
from dd_pa.network.http_version import speaks_http2_itself
from dd_pa.network.intake_protocol import Heard
from dd_pa.network.outcome import Outcome, Verdict
from dd_pa.network.outlet import DirectOutlet, Outlet
from dd_pa.process import testbed
from dd_pa.settings.relay_address import RelayAddress
from dd_pa.settings.settings import Settings

if TYPE_CHECKING:
    from dd_pa.network.httpx_transport import Transport
    from dd_pa.relay.publisher import RelayOutlet


def open_outlet(
    settings: Settings, transport: Transport | None = None, heard: Heard | None = None
) -> Outlet | DirectOutlet:
    """Return what takes events: the broker, or the intake. Call it on the loop that will run it."""
    if settings.relay is not None and transport is None and not testbed.is_on():
        return open_relay(settings, settings.relay)
    return open_intake(settings, transport, heard)


def open_relay(settings: Settings, address: RelayAddress) -> RelayOutlet:
    """Return what publishes events to a broker."""
    from dd_pa.relay.brokers import open_publisher  # noqa: PLC0415 - see delivery.warmup
    from dd_pa.relay.publisher import RelayOutlet  # noqa: PLC0415

    publisher = open_publisher(address, ca_file=settings.ca_file, timeout=settings.timeout)
    return RelayOutlet(publisher, application_id=settings.application_id, timeout=settings.timeout)


def open_intake(
    settings: Settings, transport: Transport | None = None, heard: Heard | None = None
) -> Http2Outlet | Outlet:
    """Return what posts events to the intake."""
    if transport is None and testbed.is_on() and not settings.is_local:
        return NoNetwork()
    if transport is None and speaks_http2_itself(settings):
        return Http2Outlet(settings, heard)
    from dd_pa.network.httpx_outlet import HttpxOutlet  # noqa: PLC0415
    from dd_pa.network.httpx_transport import httpx_transport  # noqa: PLC0415

    return HttpxOutlet(settings, transport or httpx_transport(settings), heard)


class NoNetwork:
    """What a test run has instead of the network, for whatever waited in the spool before it."""

    width = 1

    async def send(self, event: BuiltEvent, body: bytes) -> Outcome:
        return Outcome(verdict=Verdict.RETRY, reason="ConnectError")

    async def aclose(self) -> None:
        pass
