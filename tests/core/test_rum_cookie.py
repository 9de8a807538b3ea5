from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dd_pa.capture.rum_cookie import is_sampled, live_state

NOW_MS = 1795424500000
A = "2b1b778e-9ef6-45d6-89b8-e68ca6ceb436"
B = "ebfcb2f1-5c11-4bd0-a6d3-0c1c35ad9f02"
C = "0992f163-1111-4222-8333-ffffffffffff"


def _copy(session_id: str, *, expire: object, options: str | None) -> str:
    suffix = "" if options is None else f"&c={options}"
    return f"_dd_s_v2=id={session_id}&created=1795424491042&expire={expire}{suffix}"


def _live_id(cookies: list[str], cookie_options: str | None = None, sample_rate: float = 100.0) -> str | None:
    found = live_state("; ".join(cookies), now_ms=NOW_MS, sample_rate=sample_rate, cookie_options=cookie_options)
    return found and found[1]["id"]


def _ids(cookies: list[str], cookie_options: str | None = None, sample_rate: float = 100.0) -> set[str | None]:
    """Read the copies in every order: browsers keep none."""
    return {_live_id(list(order), cookie_options, sample_rate) for order in itertools.permutations(cookies)}


def test_last_to_expire_wins() -> None:
    """Of live copies the one that expires last is the one in use, compared as a number."""
    copies = [
        _copy(A, expire=1795425460800, options="2"),
        _copy(B, expire=1795425462191, options="0"),
        _copy(C, expire="0001795425460801", options=None),
    ]

    assert _ids(copies) == {B}
    assert _ids([*copies, _copy(A, expire="10000000000000", options="1")]) == {A}


def test_configured_options_win() -> None:
    """The copy that the site's own SDK wrote wins over one that expires later."""
    copies = [_copy(A, expire=1795425460800, options="2"), _copy(B, expire=1795425462191, options="0")]

    assert _ids(copies, cookie_options="2") == {A}


def test_options_of_no_copy_prefer_none() -> None:
    """Options that nobody wrote leave the choice to `expire`."""
    copies = [_copy(A, expire=1795425460800, options=None), _copy(B, expire=1795425462191, options="0")]

    assert _ids(copies, cookie_options="4") == {B}
    assert _ids(copies, cookie_options=None) == {B}


def test_dead_copies_are_dropped_before_the_choice() -> None:
    """Neither the configured options nor a far `expire` bring a dead copy back."""
    copies = [
        _copy(A, expire=1795424499999, options="2"),
        _copy(A, expire="9" * 101, options="2"),
        _copy(A, expire="9" * 50 + "&isExpired=1", options="2"),
        _copy(B, expire=1795425462191, options="0"),
    ]

    assert _ids(copies, cookie_options="2") == {B}


def test_copies_of_the_older_cookie_follow_the_same_rule() -> None:
    """One without `expire`, which the SDK never writes today, gives way to any other."""
    copies = [
        f"_dd_s=rum=1&id={A}",
        f"_dd_s=rum=2&id={B}&expire=1795424500001",
        f"_dd_s=rum=0&id={C}&expire=1795424599999",
    ]

    assert _ids(copies) == {B}


def test_untracked_copies_are_dropped_before_the_choice() -> None:
    """An id that RUM never saw gives way to one it saw."""
    copies = [_copy(A, expire=1795425462191, options="0"), _copy(C, expire=1795425460800, options="2")]

    assert (is_sampled(A, 50), is_sampled(C, 50)) == (False, True)
    assert _ids(copies, cookie_options="0", sample_rate=50) == {C}


RATES = (0, 0.1, 1, 12.5, 33.3, 50, 66.6, 99.9, 100)


@pytest.mark.parametrize(
    ("session_id", "tracked"),
    [
        pytest.param("00000000-0000-4000-8000-000000000000", "011111111", id="hash-0"),
        pytest.param(A, "000000011", id="above-66.6"),
        pytest.param(C, "000001111", id="above-33.3"),
        pytest.param("db9299eb-9202-40ef-bcfd-a530a68ce659", "000111111", id="above-1"),
        pytest.param("440beefa-16f8-4dae-b963-d3591b441fe1", "001111111", id="above-0.1"),
        pytest.param("74f0f786-8ef1-45d8-86a5-0f1783feb05b", "000011111", id="above-12.5"),
        pytest.param("6b705175-d785-4aaa-85b2-175766af9903", "000000111", id="above-50"),
    ],
)
def test_sampling_decides_as_the_sdk(session_id: str, tracked: str) -> None:
    """The decisions are those that the SDK's own function gave under Node, by rate."""
    assert "".join(str(int(is_sampled(session_id, rate))) for rate in RATES) == tracked


@pytest.mark.parametrize(
    ("rate", "tail"),
    [
        pytest.param(18.7, "e4b78b2df23e", id="18.7"),
        pytest.param(24.85, "159a1c49c8f2", id="24.85"),
        pytest.param(28.15, "4b833be90ad1", id="28.15"),
        pytest.param(34.2, "87f5e1e0c211", id="34.2"),
    ],
)
def test_sampling_rounds_as_the_sdk(rate: float, tail: str) -> None:
    """These hashes lie above the threshold by less than a double can tell: the SDK, under Node, tracks them."""
    assert is_sampled(f"00000000-0000-4000-8000-{tail}", rate)


@pytest.mark.parametrize("rate", [pytest.param(float(text), id=text) for text in ("nan", "-1", "-inf", "0")])
def test_no_rate_below_zero_samples(rate: float) -> None:
    """A rate that is no percentage tracks nothing, even at hash 0."""
    assert not is_sampled("00000000-0000-4000-8000-000000000000", rate)


def _plain_entries(value: str) -> dict[str, str]:
    """Read a state as the SDK's source does: entry by entry, each matched as a whole."""
    matches = (re.fullmatch("([a-zA-Z]+)=([a-z0-9-]+)", entry) for entry in value.strip(" \t").split("&"))
    return {match[1]: match[2] for match in matches if match}


def _plain_id(value: str) -> str | None:
    state = _plain_entries(value)
    dates = [state.get(name, "") for name in ("created", "expire")]
    if "isExpired" in state or not all(re.fullmatch("[0-9]{1,100}", date) for date in dates):
        return None

    created, expire = map(int, dates)
    live = expire > NOW_MS and NOW_MS - created < 4 * 3600 * 1000
    return state.get("id") if live and state.get("id") in (A, B) else None


ENTRIES = st.one_of(
    st.sampled_from([f"id={A}", f"id={B}", "created=1795424491042", "expire=1795425391550", "c=0", "rum=0"]),
    st.sampled_from(["created=1", "expire=1795424500000", "expire=1e9", "expire=9\u0665"]),
    st.sampled_from(["isExpired=0", "isExpired=", "isExpired=A", "", "=", "id", "id=", "x=1\n"]),
    st.sampled_from([f"xid={B}", f"id={B}\n", f"id={B} ", f"\xa0id={B}", f"id={B}=", f'id="{B}"', f"id={A.upper()}"]),
)


@given(entries=st.lists(ENTRIES, max_size=8), extra=st.text(alphabet="&=aI1- \t\n\"'", max_size=6))
@example(entries=[f"id={A}", "created=1795424491042", "expire=1795425391550"], extra="&c=0")
@example(entries=[f"id={A}", "created=1795424491042", "expire=1795425391550"], extra="&isExpired=a")
def test_state_is_read_by_the_sdk_grammar(entries: list[str], extra: str) -> None:
    """Any mixture of entries is judged as by a plain, entry by entry reading."""
    value = "&".join(entries) + extra

    assert _live_id([f"_dd_s_v2={value}"]) == _plain_id(value)
