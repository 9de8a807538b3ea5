from __future__ import annotations

import pytest

from dd_pa.capture.baggage import session_id_in_baggage

A = "2b1b778e-9ef6-45d6-89b8-e68ca6ceb436"
B = "ebfcb2f1-5c11-4bd0-a6d3-0c1c35ad9f02"
PLACEHOLDER = "00000000-aaaa-0000-aaaa-000000000000"


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(f"session.id={A},user.id=u-42,account.id=acme-7", id="browser"),
        pytest.param(f"account.id=acme-7,session.id={A},user.id=u-42", id="android-any-order"),
        pytest.param(f"app=1,foo=bar,session.id={A},user.id=Doe, John", id="ios-unencoded-comma"),
        pytest.param(f"foo=1,session.id=spoofed, session.id={A},user.id=u-42", id="appended-to-the-application's"),
        pytest.param(f"session.id={B},session.id={A}", id="last-wins"),
        pytest.param(f"session.id={A},session.id=", id="empty-is-skipped"),
        pytest.param(f"session.id={A},session.id= ;p=1", id="blank-with-properties-is-skipped"),
        pytest.param(f"\t session.id \t=\t {A} ,", id="blanks"),
        pytest.param(f"session.id={A};a;b=2 ; session.id={B}", id="properties"),
        pytest.param(f"session.id={A.upper()}", id="upper-case-of-ios"),
        pytest.param(f"session.id={A.replace('-', '%2D')}", id="percent-encoded"),
        pytest.param("session.id=" + "".join(f"%{ord(char):02x}" for char in A), id="each-character-encoded"),
        pytest.param(f"user.id=%C3%BC%2C%20%3D%3B%22x%40y,session.id={A}", id="odd-user"),
        pytest.param(f"user.id=,session.id={A},account.id=", id="empty-neighbours"),
        pytest.param(f"=,;,\x00,session.id={A},%%%,==", id="malformed-neighbours"),
        pytest.param(f"x-session.id={B},session.id={A},session.idx={B},y=session.id={B}", id="similar-keys"),
    ],
)
def test_session_id_is_found(header: str) -> None:
    """The last session id that is not empty is the SDK's, in any neighbourhood."""
    assert session_id_in_baggage(header) == A


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("", id="empty"),
        pytest.param("user.id=u-42", id="no-session"),
        pytest.param("session.id", id="no-value"),
        pytest.param("session.id=", id="empty-value"),
        pytest.param(f"session.id={PLACEHOLDER}", id="web-view-placeholder"),
        pytest.param(f"session.id={A},session.id={PLACEHOLDER}", id="placeholder-last"),
        pytest.param(f"session.id={A},session.id=spoofed", id="no-uuid-last"),
        pytest.param(f"Session.Id={A}", id="key-in-other-case"),
        pytest.param(f"session%2Eid={A}", id="encoded-key"),
        pytest.param(f"session.id;p={A}", id="only-a-property"),
        pytest.param(f'session.id="{A}"', id="quoted"),
        pytest.param(f"session.id={A}%0A", id="newline-encoded"),
        pytest.param(f"session.id={A}\n", id="newline"),
        pytest.param(f"session.id={A}\xa0", id="no-break-space"),
        pytest.param(f"session.id={A.replace('-', '%252D')}", id="encoded-twice"),
        pytest.param(f"session.id={A[:-1]}%", id="escape-cut-short"),
        pytest.param(f"session.id={A[:14]}1{A[15:]}", id="uuid-version-1"),
        pytest.param("session.id=\uff12" + A[1:], id="full-width-digit"),
        pytest.param(f"session.id={A}" + "%00" * 40, id="longer-than-an-encoded-uuid"),
    ],
)
def test_anything_else_is_none(header: str) -> None:
    """Only a UUIDv4 is a session id; an earlier one does not stand in for a broken last one."""
    assert session_id_in_baggage(header) is None
