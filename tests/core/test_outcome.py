from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dd_pa.network.outcome import MAX_WAIT, Verdict, asked_wait, judge

VERDICTS = {
    Verdict.DELIVERED: [200, 202, 204, 299],
    Verdict.RETRY: [408, 500, 501, 502, 503, 504, 507, 529, 599],
    Verdict.LIMIT: [429],
    Verdict.PAUSE: [300, 301, 302, 303, 304, 307, 308, 399, 401, 402, 403, 404, 405, 407, 410, 421, 425, 426, 451],
    Verdict.REJECT: [400, 409, 411, 413, 414, 415, 422, 431, 499],
}


@pytest.mark.parametrize(
    ("status", "verdict"),
    [pytest.param(status, verdict, id=str(status)) for verdict, codes in VERDICTS.items() for status in codes],
)
def test_each_status_has_one_meaning(status: int, verdict: Verdict) -> None:
    """The answer table of the design, status by status."""
    assert judge(status, {}).verdict is verdict


@pytest.mark.parametrize("status", [100, 101, 199, 600, 999])
def test_a_status_out_of_this_world_never_delivers(status: int) -> None:
    """What is no final HTTP status does not count as taken."""
    assert judge(status, {}).verdict is not Verdict.DELIVERED


def test_the_words_of_the_intake_are_kept() -> None:
    """Reason and detail go to the signal and the log."""
    outcome = judge(400, {}, "Malformed payload")

    assert (outcome.reason, outcome.detail, outcome.wait) == ("400", "Malformed payload", None)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_wait_is_read_from_every_answer_that_is_tried_again(status: int) -> None:
    """Not only 429 may say when to come back."""
    assert judge(status, {"retry-after": "7"}).wait == 7.0


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"retry-after": "2"}, 2.0, id="seconds"),
        pytest.param({"retry-after": "0.5"}, 0.5, id="fraction"),
        pytest.param({"x-ratelimit-reset": "3"}, 3.0, id="reset"),
        pytest.param({"x-ratelimit-reset": "3", "retry-after": "9"}, 3.0, id="reset wins"),
        pytest.param({"x-ratelimit-reset": "soon", "retry-after": "9"}, 9.0, id="unreadable reset"),
        pytest.param({"x-ratelimit-reset": "nan", "retry-after": "9"}, 9.0, id="NaN reset"),
        pytest.param({"retry-after": "1e9"}, MAX_WAIT, id="years"),
        pytest.param({"retry-after": "inf"}, MAX_WAIT, id="infinity"),
        pytest.param({"retry-after": "9" * 5000}, MAX_WAIT, id="5000 digits"),
        pytest.param({"retry-after": "-1"}, 0.0, id="negative"),
        pytest.param({"retry-after": "-inf"}, 0.0, id="minus infinity"),
        pytest.param({"retry-after": "NaN"}, None, id="NaN"),
        pytest.param({"retry-after": ""}, None, id="empty"),
        pytest.param({"retry-after": "1, 2"}, None, id="two"),
        pytest.param({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0, id="past date"),
        pytest.param({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, MAX_WAIT, id="far date"),
        pytest.param({"retry-after": "Fri, 31 Dec 99999 23:59:59 GMT"}, None, id="no date"),
        pytest.param({"retry-after": f"Fri, 31 Dec 2026 23:59:59 +{'9' * 20}"}, None, id="no zone"),
    ],
)
def test_the_asked_wait_is_clamped(headers: dict[str, str], wait: float | None) -> None:
    """Between 0 and 15 minutes, whatever the header says."""
    assert asked_wait(headers) == wait


@pytest.mark.parametrize("usegmt", [True, False])
def test_a_date_is_a_wait_from_now(usegmt: bool) -> None:
    """`Retry-After` may be an HTTP date; a date without a zone is taken for UTC."""
    wait = asked_wait({"retry-after": format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=usegmt)})

    assert wait is not None
    assert 55 < wait <= 60


def test_a_date_is_a_wait_from_the_date_of_the_answer() -> None:
    """Our own clock may be wrong by years."""
    fields = {"retry-after": "Wed, 21 Oct 2015 07:28:30 GMT", "date": "Wed, 21 Oct 2015 07:28:00 GMT"}

    assert asked_wait(fields) == 30
    assert asked_wait(fields | {"date": "today"}) == 0


@given(st.text(max_size=60), st.text(max_size=60), st.integers(min_value=100, max_value=999))
def test_no_header_can_break_the_judgement(reset: str, after: str, status: int) -> None:
    """Whatever the headers hold, there is a verdict, and a wait is between 0 and the most."""
    wait = judge(status, {"x-ratelimit-reset": reset, "retry-after": after}).wait

    assert wait is None or 0 <= wait <= MAX_WAIT
