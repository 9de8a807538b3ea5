"""The one emitter of this process."""

from __future__ import annotations

import logging
import os
import threading
from functools import partial
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from dd_pa import Emitter
from dd_pa_django.configuration import asks_for_outbox, load_settings
from dd_pa_django.identity import request_identity

logger = logging.getLogger("dd_pa")


class EmitterSlot:
    """Holds the emitter from its first use until the settings change. Any thread may call it."""

    def __init__(self) -> None:
        self._emitter: Emitter | None = None
        self._has_complained = False
        self.renew_lock()

    def renew_lock(self) -> None:
        """For a forked child: another thread of the parent may have held the lock, and does not exist any more."""
        self._lock = threading.Lock()

    def get(self) -> Emitter:
        """Return the emitter, made when there is none yet. Raises `ImproperlyConfigured`."""
        found = self._emitter  # read once: another thread may reset it meanwhile
        if found is not None:
            return found
        with self._lock:
            if self._emitter is None:
                configured = load_settings()
                self._emitter = Emitter(configured, identity=partial(request_identity, configured))
            return self._emitter

    def find(self) -> Emitter | None:
        """Return the emitter, or None if the settings are wrong: logged once, raised in DEBUG and with OUTBOX.

        For code that must not fail for want of analytics. Servers have found out when the middleware was made. With
        OUTBOX no data may be committed without its events: the error is raised where they are tracked, and undoes it.
        """
        try:
            return self.get()
        except ImproperlyConfigured as error:
            if settings.DEBUG or asks_for_outbox():
                raise
            if not self._has_complained:
                self._has_complained = True
                logger.error("no event of this process is sent: %s", error)
            return None

    def reset(self) -> None:
        """Close the emitter; the next use makes another. Blocks while it delivers, as `Emitter.close()` does."""
        with self._lock:
            emitter, self._emitter = self._emitter, None
            self._has_complained = False
        if emitter is not None:
            emitter.close()


slot = EmitterSlot()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=slot.renew_lock)


def get_emitter() -> Emitter:
    """Return this process's emitter, for `flush()` or `stats()`; made on first use, with no thread yet.

    It knows the current request. Raises `ImproperlyConfigured` if `DD_PA` is wrong.
    """
    return slot.get()


def find_emitter() -> Emitter | None:
    """Return this process's emitter, or None if `DD_PA` is wrong: logged once, raised in DEBUG and with OUTBOX.

    For what must not fail for want of analytics, such as a worker's tasks.
    """
    return slot.find()


def _forget_emitter(*, setting: str, **kwargs: Any) -> None:
    if setting in ("DD_PA", "DEBUG", "SECRET_KEY", "SECRET_KEY_FALLBACKS"):
        slot.reset()


setting_changed.connect(_forget_emitter, dispatch_uid="dd_pa_django.emitter")
