"""The pseudonym of a framework's session cannot be turned back, and matches nothing else."""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid

import pytest

from dd_pa import pseudonymous_session

SECRET = "a secret of the application"
KEY = "q7k3v0d5yl2m8n4p6r9s1t0u2w4x6z8a"
UUID4 = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_it_is_stable_and_a_uuid4() -> None:
    """It must be the same in each process and each version of this package."""
    assert UUID4.fullmatch(pseudonymous_session(SECRET, KEY))
    assert pseudonymous_session(SECRET, KEY) == pseudonymous_session(SECRET.encode(), KEY)
    assert pseudonymous_session(SECRET, KEY) == "645dc9cd-e7e7-4686-86a2-b4efaede6ccb"


def test_it_differs_by_secret_and_by_key() -> None:
    """A leaked list of keys tells nothing without the secret."""
    found = {pseudonymous_session(secret, key) for secret in (SECRET, SECRET + "!") for key in (KEY, KEY[::-1])}

    assert len(found) == 4


@pytest.mark.parametrize("text", [KEY, SECRET + KEY, KEY + SECRET], ids=["key", "secret-key", "key-secret"])
def test_it_is_no_plain_hash(text: str) -> None:
    """Those could be tried out, with the secret or without."""
    plain = {hashlib.new(name, text.encode()).digest()[:16] for name in ("md5", "sha1", "sha256", "sha512")}
    plain |= {hmac.digest(SECRET.encode(), text.encode(), name)[:16] for name in ("md5", "sha1", "sha256", "sha512")}
    ids = {str(uuid.UUID(bytes=digest, version=4)) for digest in plain}
    ids |= {str(uuid.uuid5(space, text)) for space in (uuid.NAMESPACE_DNS, uuid.NAMESPACE_URL, uuid.NAMESPACE_OID)}

    assert pseudonymous_session(SECRET, KEY) not in ids
