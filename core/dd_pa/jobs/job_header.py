"""The signed text that travels with a job: whom the work is for, and when that was read.

`1.<signature>.<json>`, at most 1 KiB. It is signed for one task and one job, by a key derived for this use alone from a
secret of the application, so that neither an edited header nor one moved to another job is believed.
"""

from __future__ import annotations

import base64
import functools
import hmac
import json
from collections.abc import Iterable

import msgspec

from dd_pa.capture.person import Identity

MAX_HEADER = 1024
"""Longest header, in bytes."""

VERSION = "1"
PURPOSE = "dd_pa.context.v1"


class CarriedIdentity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a header says."""

    read_at: int = msgspec.field(name="t")
    """When the request was that the ids are from, in epoch seconds."""

    usr: str | None = msgspec.field(name="u", default=None)
    account: str | None = msgspec.field(name="a", default=None)
    session: str | None = msgspec.field(name="s", default=None)
    consent: bool | None = msgspec.field(name="c", default=None)

    @classmethod
    def of(cls, identity: Identity, read_at: int) -> CarriedIdentity:
        return cls(
            read_at=read_at,
            usr=identity.usr,
            account=identity.account,
            session=identity.session,
            consent=identity.consent,
        )

    @property
    def identity(self) -> Identity:
        return Identity(usr=self.usr, account=self.account, session=self.session, consent=self.consent)


class Seal:
    """Signs with the first of some secrets, and accepts the signature of any."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._keys = [_derived_key(secret) for secret in secrets if secret]

    def __bool__(self) -> bool:
        return bool(self._keys)

    def write(self, carried: CarriedIdentity, task: str, job_id: str) -> str:
        """Return the header. Needs a secret."""
        payload = msgspec.json.encode(carried).decode()
        return f"{VERSION}.{_signature(self._keys[0], payload, task, job_id)}.{payload}"

    def read(self, header: object, task: str, job_id: str) -> CarriedIdentity | None:
        """Return what a header says, or None for one that was not written here for this job."""
        if not isinstance(header, str) or len(header) > MAX_HEADER:
            return None
        version, _, rest = header.partition(".")
        given, _, payload = rest.partition(".")
        if version != VERSION or not any(_is_by(key, given, payload, task, job_id) for key in self._keys):
            return None
        try:
            return msgspec.json.decode(payload, type=CarriedIdentity)
        except msgspec.MsgspecError:  # signed, but by a version that says more or something else
            return None


@functools.lru_cache(maxsize=16)
def _derived_key(secret: str) -> bytes:
    return hmac.digest(secret.encode("utf-8", "surrogateescape"), PURPOSE.encode(), "sha256")


def _signature(key: bytes, payload: str, task: str, job_id: str) -> str:
    signed = json.dumps([VERSION, PURPOSE, task, job_id, payload])
    return base64.urlsafe_b64encode(hmac.digest(key, signed.encode(), "sha256")).decode().rstrip("=")


def _is_by(key: bytes, given: str, payload: str, task: str, job_id: str) -> bool:
    expected = _signature(key, payload, task, job_id)
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))
