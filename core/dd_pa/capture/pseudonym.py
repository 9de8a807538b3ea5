from __future__ import annotations

import hmac
import uuid

_PURPOSE = b"dd_pa.session_fallback.v1"


def pseudonymous_session(secret: str | bytes, session_key: str) -> str:
    """Return a `session.id` that is the same for as long as a framework's server-side session has the same key.

    It is a UUIDv4 in shape. Without the application's `secret` nobody can get from it to the key, or test a guess; the
    HMAC's own key is derived for this use alone, so that it matches nothing else that is signed with that secret.
    """
    text = secret.encode() if isinstance(secret, str) else secret
    derived = hmac.digest(text, _PURPOSE, "sha256")
    return str(uuid.UUID(bytes=hmac.digest(derived, session_key.encode(), "sha256")[:16], version=4))
