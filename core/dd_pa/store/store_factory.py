from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Literal

from dd_pa.capture.event import BuiltEvent
from dd_pa.settings.settings import Settings
from dd_pa.store.memory import MemoryStore
from dd_pa.store.protocol import Store


def open_store(
    settings: Settings,
    *,
    on_dropped: Callable[[Literal["overflow", "damaged", "dead_letters"], BuiltEvent | None], None],
    say: Callable[..., None],
    can_deliver: Callable[[], bool],
    on_waiting: Callable[[], object],
    for_all: bool,
) -> Store:
    """Return the store that the settings ask for; nothing is opened or made before the first event.

    `can_deliver` tells whether the intake takes events from this process now. `on_waiting` is told of events that only
    this process can deliver, because the disk fails. `for_all`: it delivers for all others.
    """
    memory = MemoryStore(
        size=settings.buffer_size,
        max_bytes=settings.buffer_max_bytes,
        drop_newest=settings.overflow == "drop_newest",
        on_overflow=lambda event: on_dropped("overflow", event),
    )
    if settings.spool_dir is None:
        return memory
    if find_spec("fcntl") is None:
        say("spool", "there is no spool on this system, as it has no flock: events wait in memory")
        return memory
    from dd_pa.store.destination import Destination  # noqa: PLC0415 - cannot be imported without fcntl
    from dd_pa.store.spool import Spool  # noqa: PLC0415
    from dd_pa.store.spool_options import SpoolOptions  # noqa: PLC0415

    options = SpoolOptions(
        max_bytes=settings.spool_max_bytes,
        sync=settings.spool_sync,
        reads=for_all or settings.delivery == "thread",
        for_all=for_all,
        drop_newest=settings.overflow == "drop_newest",
    )
    destination = Destination(settings.spool_dir, settings.application_id, settings.destination)
    told: dict[str, Any] = {"on_dropped": on_dropped, "say": say, "can_deliver": can_deliver, "on_waiting": on_waiting}
    return Spool(destination, memory, options, **told)
