from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from dd_pa import Emitter, Identity, Settings, SettingsError, bound_identity, identify
from dd_pa.jobs import IdentityCarrier, bind
from dd_pa.jobs.job_header import MAX_HEADER, PURPOSE, CarriedIdentity, Seal
from tests.core.wire import settings

Make = Callable[..., Emitter]
SHOPPER = Identity(usr="u-1", account="acme", session="2b1b778e-9ef6-45d6-89b8-e68ca6ceb436", consent=True)


def carrier(make: Make, **changes: Any) -> IdentityCarrier:
    return IdentityCarrier(make(**({"job_secret": "s3cret"} | changes)))


def written(of: IdentityCarrier, identity: Identity = SHOPPER, task: str = "t", job_id: str = "1") -> str:
    """Return the header of a job that somebody queues."""
    with identify(usr=identity.usr, account=identity.account, session=identity.session, consent=identity.consent):
        header = of.header(task, job_id)
    assert header
    return header


def restored(of: IdentityCarrier, header: object, task: str = "t", job_id: str = "1") -> Identity | None:
    """Return whom a job runs for."""
    with of.restored(header, task, job_id):
        return bound_identity()


def test_a_job_gets_what_the_request_had(make: Make) -> None:
    """All three ids and the consent; outside of the job nothing stays."""
    of = carrier(make)

    assert restored(of, written(of)) == SHOPPER
    assert bound_identity() is None


def test_what_was_in_force_comes_back(make: Make) -> None:
    """Also after an error; nothing of it is mixed into the job."""
    of = carrier(make)
    header = written(of, Identity(usr="u-1"))

    with identify(usr="outer", account="outer"):
        with pytest.raises(ZeroDivisionError), of.restored(header, "t", "1"):
            _ = 1 // (bound_identity() != Identity(usr="u-1"))
        assert bound_identity() == Identity(usr="outer", account="outer")


def test_nobody_has_no_header(make: Make) -> None:
    """Nor has anybody while events are switched off."""
    off = carrier(make, enabled=False)

    assert carrier(make).header("t", "1") is None
    with identify(usr="u-1"):
        assert off.header("t", "1") is None


def test_only_a_denied_consent_travels(make: Make) -> None:
    """Of somebody who does not want events no id leaves, and the job tracks nothing either."""
    emitter = make(job_secret="s3cret")
    of = IdentityCarrier(emitter)
    header = written(of, Identity(usr="u-1", session=SHOPPER.session, consent=False))

    assert json.loads(header.split(".", 2)[2]) == {"t": pytest.approx(time.time(), abs=60), "c": False}
    with of.restored(header, "t", "1"):
        assert emitter.track("job.ran", usr="u-1") is None
    assert emitter.stats().dropped == {"consent": 1}


def test_every_byte_is_signed(make: Make) -> None:
    """Whatever is changed, the job runs for nobody, and it is counted."""
    emitter = make(job_secret="s3cret")
    of = IdentityCarrier(emitter)
    header = written(of)
    forged = [header[:i] + chr(ord(header[i]) ^ 1) + header[i + 1 :] for i in range(len(header))]

    assert [restored(of, text) for text in forged] == [None] * len(header)
    assert emitter.stats().lost_identities == {"forged": len(header)}


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="empty"),
        pytest.param("1", id="version"),
        pytest.param("1..", id="dots"),
        pytest.param("1.\ud800.{}", id="surrogate"),
        pytest.param("x" * 1_000_000, id="long"),
        pytest.param("1.é.{}", id="no base64"),
    ],
)
def test_nonsense_is_worth_nothing(header: str, make: Make) -> None:
    """It raises nothing either."""
    assert restored(carrier(make), header) is None


@pytest.mark.parametrize("header", [None, False, 5, b"1.a.{}", {}])
def test_what_is_no_text_is_no_header(header: object, make: Make) -> None:
    """It is not counted: `False` opts a job out."""
    emitter = make(job_secret="s3cret")

    assert restored(IdentityCarrier(emitter), header) is None
    assert emitter.stats().lost_identities == {}


@pytest.mark.parametrize(("task", "job_id"), [("t", "2"), ("u", "1"), ("t1", ""), ('t","1', "")])
def test_a_header_is_for_one_job(task: str, job_id: str, make: Make) -> None:
    """Another id or another task makes it worthless, however the two are cut."""
    of = carrier(make)

    assert restored(of, written(of), task, job_id) is None


def test_another_secret(make: Make) -> None:
    """Is not believed, unless it is a former one of ours."""
    old = written(carrier(make, job_secret="old"))

    assert restored(carrier(make, job_secret="new"), old) is None
    assert restored(carrier(make, job_secret="new", job_secret_fallbacks=["older", "old"]), old) == SHOPPER


def test_the_key_is_for_this_use_alone() -> None:
    """A text signed with the bare secret, as another use of it might do, is not believed."""
    import base64  # noqa: PLC0415 - this test writes a signature of its own
    import hmac  # noqa: PLC0415

    payload = '{"t":1,"u":"admin"}'
    signed = json.dumps(["1", PURPOSE, "t", "1", payload]).encode()
    mac = base64.urlsafe_b64encode(hmac.digest(b"s3cret", signed, "sha256")).decode().rstrip("=")

    assert Seal(["s3cret"]).read(f"1.{mac}.{payload}", "t", "1") is None
    assert Seal(["s3cret"]).read(
        Seal(["s3cret"]).write(CarriedIdentity(read_at=1), "t", "1"), "t", "1"
    ) == CarriedIdentity(read_at=1)


def test_without_a_secret_nothing_is_sent(make: Make) -> None:
    """It is counted, and said."""
    emitter = make(job_secret=None)
    with identify(usr="u-1"):
        assert IdentityCarrier(emitter).header("t", "1") is None

    assert emitter.stats().lost_identities == {"no_secret": 1}


def test_an_id_that_cannot_be_found(make: Make) -> None:
    """Is left out of the header, which is counted, and breaks nothing in strict mode either."""

    class Source:
        account, session, consent = "acme", "s-1", None

        @property
        def usr(self) -> str:
            raise KeyError

    emitter = make(strict=True, job_secret="s3cret", identity=Source)
    header = IdentityCarrier(emitter).header("t", "1")

    with IdentityCarrier(emitter).restored(header, "t", "1"):
        assert bound_identity() == Identity(account="acme", session="s-1")
    assert emitter.stats().lost_identities == {"not_found": 1}


@pytest.mark.parametrize(
    ("identity", "expected", "lost"),
    [
        pytest.param(Identity(usr="u" * 256, account="a" * 256, session="s" * 256), None, {}, id="longest"),
        pytest.param(
            Identity(usr="u" * 256, account="\U00020000" * 256, session="s" * 36),
            Identity(usr="u" * 256, session="s" * 36),
            {"too_long": 1},
            id="wide characters",
        ),
    ],
)
def test_headers_are_small(identity: Identity, expected: Identity | None, lost: dict[str, int], make: Make) -> None:
    """1 KiB holds three ids of the greatest length; if it does not, the longest is left out and counted."""
    emitter = make(job_secret="s3cret")
    of = IdentityCarrier(emitter)
    header = written(of, identity)

    assert len(header.encode()) <= MAX_HEADER
    assert restored(of, header) == (expected or identity)
    assert emitter.stats().lost_identities == lost


def test_the_header_of_a_retry_is_kept(make: Make) -> None:
    """One that was written for another job is not."""
    of = carrier(make)
    first = written(of)

    assert of.header("t", "1", present=first) == first
    assert of.header("t", "2", present=first) is None
    with identify(usr="u-2"):
        other = of.header("t", "2", present=first)
    assert restored(of, other, "t", "2") == Identity(usr="u-2")


def test_forwarding_makes_nothing_younger(make: Make) -> None:
    """A job that queues another for the same person passes the age of the request on."""
    emitter = make(job_secret="s3cret")
    now = 1_700_000_000.0
    of = IdentityCarrier(emitter, clock=lambda: now)
    first = written(of)
    now += 3 * 3600
    with of.restored(first, "t", "1"):
        second = of.header("t", "2")
    now += 3 * 3600

    assert restored(of, second, "t", "2") == Identity(usr="u-1", account="acme", consent=True)
    assert emitter.stats().lost_identities == {"session_over": 1}
    now += 7 * 24 * 3600
    assert restored(of, second, "t", "2") is None


def test_an_emitter_may_come_later(make: Make) -> None:
    """It is asked for when a job is queued or run; there may be none."""
    emitter = make(job_secret="s3cret")
    header = written(IdentityCarrier(lambda: emitter))

    assert restored(IdentityCarrier(lambda: None), header) is None
    assert restored(IdentityCarrier(lambda: emitter), header) == SHOPPER


class Failing:
    """A request whose user cannot be found out."""

    account = "acme"
    session = None
    consent = None

    @property
    def usr(self) -> str:
        raise RuntimeError("no database")


def test_what_fails_stops_no_job(make: Make) -> None:
    """In strict mode neither: the code that queues is not the code that tracks."""
    of = IdentityCarrier(make(identity=Failing, strict=True, job_secret="s3cret"))

    assert restored(of, of.header("t", "1")) == Identity(account="acme")


def test_threads(make: Make) -> None:
    """A bound function runs for whoever bound it, in as many threads as there are."""
    with ThreadPoolExecutor(4) as pool, identify(usr="u-1"):
        look = bind(lambda _: bound_identity())
        bound = list(pool.map(look, range(20)))
        plain = pool.submit(bound_identity).result()

    assert (bound, plain) == ([Identity(usr="u-1")] * 20, None)


@pytest.mark.parametrize(
    ("secret", "fallbacks", "revealed"),
    [
        pytest.param("a", ["b", b"c", ""], ["a", "b", "c"], id="list"),
        pytest.param("a", "b,c", ["a", "b", "c"], id="text"),
        pytest.param(b"\xff", (), ["\udcff"], id="bytes"),
        pytest.param("", ["b"], [], id="fallbacks do not sign"),
        pytest.param(None, (), [], id="none"),
    ],
)
def test_secrets(secret: Any, fallbacks: Any, revealed: list[str]) -> None:
    """Texts or bytes, as Django and Flask have them; shown nowhere, kept by copies."""
    found = settings(job_secret=secret, job_secret_fallbacks=fallbacks)

    assert found.reveal_job_secrets() == revealed
    assert replace(found, strict=True).reveal_job_secrets() == revealed
    assert all(f"'{text}'" not in repr(found) for text in revealed)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"JOB_SECRET": 5}, "JOB_SECRET: must be a text or bytes, not int", id="number"),
        pytest.param({"JOB_SECRET": "***"}, "JOB_SECRET: is the mask of a secret", id="mask"),
        pytest.param({"JOB_SECRET_FALLBACKS": 5}, "JOB_SECRET_FALLBACKS: must be a list, not int", id="no list"),
        pytest.param({"JOB_SECRET_FALLBACKS": [5]}, "JOB_SECRET_FALLBACKS: must be a text or bytes", id="in list"),
    ],
)
def test_secrets_that_are_wrong(given: dict[str, Any], message: str) -> None:
    """Are refused at start, without their value."""
    with pytest.raises(SettingsError, match=message):
        Settings.from_mapping({"APPLICATION_ID": "a", "API_KEY": "k"} | given)
