from __future__ import annotations

from collections.abc import Iterator

from dd_pa.doctor.configuration import examine_configuration
from dd_pa.doctor.finding import Finding
from dd_pa.doctor.intake import examine_intake
from dd_pa.doctor.spool import examine_spool
from dd_pa.settings.settings import Settings


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield one finding after the other, as they are made. Blocks on the network for at most twice `TIMEOUT`.

    Sends no event: the intake gets an empty object, which it refuses, but only after it has looked at the key.
    """
    yield from examine_configuration(settings)
    if settings.enabled:
        yield from examine_intake(settings)
        yield from examine_spool(settings)
