"""Identity in the options of Dramatiq's messages."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from dramatiq import Broker, Message, Middleware

from dd_pa.jobs.identity_carrier import HEADER, Before, EmitterOrGetter, IdentityCarrier

_before: ContextVar[Before | None] = ContextVar("dd_pa_dramatiq_before", default=None)


def connect_dramatiq(broker: Broker, emitter: EmitterOrGetter) -> None:
    """Send the identity of whoever sends a message along, and restore it while its actor runs.

    Call it where the broker is made. An actor is left alone by `@dramatiq.actor(dd_pa_identity=False)`, a single
    message by `send_with_options(dd_pa_identity=False)`.
    """
    # First, so that its end comes last: a pipeline sends its next message at the end of the one before.
    first = type(broker.middleware[0]) if broker.middleware else None
    broker.add_middleware(IdentityMiddleware(emitter), before=first)


class IdentityMiddleware(Middleware):
    """What `connect_dramatiq` adds, for a broker that takes its middleware as a list: put it first there."""

    def __init__(self, emitter: EmitterOrGetter) -> None:
        self._carrier = IdentityCarrier(emitter)

    @property
    def actor_options(self) -> set[str]:
        return {HEADER}

    def before_enqueue(self, broker: Broker, message: Message[Any], delay: int | None) -> None:
        present = message.options.get(HEADER)
        if present is False or _is_left_alone(broker, message):
            return
        header = self._carrier.header(message.actor_name, message.message_id, present)
        if header is not None:
            message.options[HEADER] = header
        else:
            message.options.pop(HEADER, None)

    def before_process_message(self, broker: Broker, message: Any) -> None:
        header = None if _is_left_alone(broker, message) else message.options.get(HEADER)
        _before.set(self._carrier.begin(header, message.actor_name, message.message_id))

    def after_process_message(
        self, broker: Broker, message: Any, *, result: object = None, exception: BaseException | None = None
    ) -> None:
        self._end()

    def after_skip_message(self, broker: Broker, message: Any) -> None:
        self._end()

    def _end(self) -> None:
        self._carrier.end(_before.get())
        _before.set(None)


def _is_left_alone(broker: Broker, message: Any) -> bool:
    actor = broker.actors.get(message.actor_name)
    return actor is not None and actor.options.get(HEADER) is False
