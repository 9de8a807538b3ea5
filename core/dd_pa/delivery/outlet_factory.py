from __future__ import annotations

from dd_pa.delivery.http2_outlet import Http2Outlet
from dd_pa.delivery.httpx_library import httpx
from dd_pa.delivery.httpx_outlet import HttpxOutlet
from dd_pa.delivery.intake_protocol import Heard
from dd_pa.delivery.outlet import DirectOutlet, Outlet
from dd_pa.delivery.transport import Transport, httpx_transport
from dd_pa.process import testbed
from dd_pa.relay.brokers import open_publisher
from dd_pa.relay.publisher import RelayOutlet
from dd_pa.settings.relay import RelayAddress
from dd_pa.settings.settings import Settings


def open_outlet(
    settings: Settings, transport: Transport | None = None, heard: Heard | None = None
) -> Outlet | DirectOutlet:
    """Return what takes events: the broker, or the intake. Call it on the loop that will run it."""
    if settings.relay is not None and transport is None and not testbed.is_on():
        return open_relay(settings, settings.relay)
    return open_intake(settings, transport, heard)


def open_relay(settings: Settings, address: RelayAddress) -> RelayOutlet:
    """Return what publishes events to a broker."""
    publisher = open_publisher(address, ca_file=settings.ca_file, timeout=settings.timeout)
    return RelayOutlet(publisher, application_id=settings.application_id, timeout=settings.timeout)


def open_intake(
    settings: Settings, transport: Transport | None = None, heard: Heard | None = None
) -> HttpxOutlet | Http2Outlet:
    """Return what posts events to the intake."""
    if transport is None and testbed.is_on() and not settings.is_local:
        transport = NoNetwork()
    if transport is None and speaks_http2_itself(settings):
        return Http2Outlet(settings, heard)
    return HttpxOutlet(settings, transport or httpx_transport(settings), heard)


def speaks_http2_itself(settings: Settings) -> bool:
    """Tell whether HTTP/2 is spoken without httpx, which keeps proxies."""
    return settings.transport == "auto" and settings.proxy is None


class NoNetwork(httpx.AsyncBaseTransport):
    """What a test run has instead of the network, for whatever waited in the spool before it."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("this is a test run: only an intake on this machine is connected to")
