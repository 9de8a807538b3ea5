"""Pseudonyms: the same for the same text and secret, and nobody gets from them to the text without the secret.

Each use has an HMAC key of its own, derived for it alone: a pseudonym matches nothing else made with the secret.
"""

from __future__ import annotations

import hmac
import uuid

import msgspec

_OF_SESSION = b"dd_pa.session_fallback.v1"
_OF_PERSONAL_DATA = b"dd_pa.personal_data.v1"


def pseudonymous_session(secret: str | bytes, session_key: str) -> str:
    """Return a `session.id` that is the same for as long as a framework's server-side session has the same key.

    It is a UUIDv4 in shape. Without the application's `secret` nobody can get from it to the key, or test a guess.
    """
    digest = _keyed(secret.encode() if isinstance(secret, str) else secret, _OF_SESSION, session_key)
    return str(uuid.UUID(bytes=digest, version=4))


def pseudonym(key: str, value: object) -> str:
    """Return what stands for personal data: the same text for the same value. What is no text is hashed as JSON."""
    text = value if isinstance(value, str) else msgspec.json.encode(value, order="deterministic").decode()
    return _keyed(key.encode(), _OF_PERSONAL_DATA, text).hex()


def _keyed(secret: bytes, purpose: bytes, text: str) -> bytes:
    return hmac.digest(hmac.digest(secret, purpose, "sha256"), text.encode(), "sha256")[:16]
