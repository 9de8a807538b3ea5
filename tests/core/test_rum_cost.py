from __future__ import annotations

import importlib
import re
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from dd_pa.capture import baggage as baggage_module
from dd_pa.capture import rum_cookie as cookie_module
from dd_pa.capture import rum_session as rum_module
from dd_pa.capture.rum_cookie import MAX_HEADER_LENGTH
from dd_pa.capture.rum_session import (
    read_rum_session,
    rum_session_from_environ,
    rum_session_from_scope,
)
from tests.core.rum_samples import NOW, V2_A, B

HOSTILE = [
    pytest.param(";", "", id="separators"),
    pytest.param("_dd_s_v2=;", "", id="empty-copies"),
    pytest.param(f"{V2_A};", "", id="live-copies"),
    pytest.param(f"_dd_s=rum=1&id={B}&created=1;", "", id="dead-copies"),
    pytest.param("_dd_s&id=a", "", id="entries"),
    pytest.param(" _dd_s", "", id="names-without-separators"),
    pytest.param("", ",", id="members"),
    pytest.param("", "session.id=,", id="empty-members"),
    pytest.param("", "session.id=%41", id="escapes"),
    pytest.param("", "session.id;", id="properties"),
]


READERS = str(Path(rum_module.__file__).parent)


def _steps(cookie: str, baggage: str) -> int:
    """Count the interpreter's instructions for one reading."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.startswith(READERS):  # what a collection of garbage runs, of other tests
            return None
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        read_rum_session(cookie=cookie, baggage=baggage, now=NOW)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(("cookie", "baggage"), HOSTILE)
def test_cost_grows_with_the_header_and_ends_at_the_limit(cookie: str, baggage: str) -> None:
    """Twice the header is at most twice the work, and none is done behind the limit."""
    unit = len(cookie or baggage)
    small, large, huge = (size // unit for size in (MAX_HEADER_LENGTH // 2, MAX_HEADER_LENGTH, 64 * MAX_HEADER_LENGTH))

    half, full = _steps(cookie * small, baggage * small), _steps(cookie * large, baggage * large)

    assert 0 < half <= full <= 2 * half + 100
    assert full + 100 >= _steps(cookie * huge, baggage * huge)


def test_a_long_value_is_not_decoded() -> None:
    """No more is decoded than an id with each character escaped."""
    longest, endless = (_steps("", "session.id=" + "%41" * count) for count in (36, 5000))

    assert endless < longest


@pytest.mark.parametrize("size", [pytest.param(1 << 20, id="1MiB"), pytest.param(1 << 23, id="8MiB")])
def test_memory_ends_at_the_limit(size: int) -> None:
    """A header is never copied as a whole, however long it is."""
    cookie, baggage = V2_A + ",;" * (size // 2), "session.id=," * (size // 12)
    environ = {"HTTP_COOKIE": cookie, "HTTP_BAGGAGE": baggage}
    headers = [(b"cookie", cookie.encode()), (b"baggage", baggage.encode())]

    assert _peak(lambda: rum_session_from_environ(environ, now=NOW)) < 16 * MAX_HEADER_LENGTH
    assert _peak(lambda: rum_session_from_scope(headers, now=NOW)) < 16 * MAX_HEADER_LENGTH


def _peak(action: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_patterns_cannot_backtrack() -> None:
    """A repetition holds no other, and an open-ended one gives nothing back: matching is linear."""
    modules = (baggage_module, cookie_module, rum_module)
    patterns = {value for module in modules for value in vars(module).values() if isinstance(value, re.Pattern)}

    assert patterns
    assert [pattern.pattern for pattern in patterns if not _is_linear(pattern.pattern)] == []
    assert not _is_linear(r"(a+)+b")
    assert not _is_linear(r"[a-z]+=")


def _is_linear(pattern: str) -> bool:
    parser: Any = importlib.import_module("re._parser")
    return all(
        inner == 0 and (name == "POSSESSIVE_REPEAT" or most is not parser.MAXREPEAT)
        for name, most, inner in _repeats(parser.parse(pattern))
    )


def _repeats(tree: Any) -> list[tuple[str, int, int]]:
    """List each repetition with its upper bound and the number of repetitions within it."""
    found: list[tuple[str, int, int]] = []
    for operator, argument in tree:
        parts = argument if isinstance(argument, tuple | list) else (argument,)
        nested = [repeat for part in parts for branch in _branches(part) for repeat in _repeats(branch)]
        if str(operator).endswith("_REPEAT"):
            found.append((str(operator), argument[1], len(nested)))
        found += nested
    return found


def _branches(part: Any) -> list[Any]:
    if type(part).__name__ == "SubPattern":
        return [part]
    return [branch for branch in part if type(branch).__name__ == "SubPattern"] if isinstance(part, list) else []
