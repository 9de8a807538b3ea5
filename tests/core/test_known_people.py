"""People whose ids were checked once: what is remembered of them must change nothing."""

from __future__ import annotations

import uuid
from itertools import product
from typing import Any

import pytest

from dd_pa import EventError
from dd_pa.capture.linking import MOST_PEOPLE, Linker
from tests.core.attribute_values import HostileText, Subtext

LIKE_U: list[Any] = [None, "u", Subtext("u"), "".join(["u", ""]), uuid.UUID(int=1), str(uuid.UUID(int=1)), 1, "1", True]
IDS: list[Any] = [*LIKE_U, 1.0, "", " ", "\n", "x" * 257, [], {}, HostileText("u"), object()]


class Liar:
    """Something that claims to be equal to any text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __hash__(self) -> int:
        return hash(self._text)

    def __eq__(self, other: object) -> bool:
        return True


def outcome(linker: Linker, ids: tuple[Any, Any, Any]) -> object:
    """Return all that can be seen of what becomes of ids."""
    problems: list[str] = []
    try:
        found = linker.link_ids(*ids, problems.append)
    except EventError as error:
        return str(error)
    assert {type(found.usr), type(found.account), type(found.session)} <= {str, type(None)}
    return found, problems


@pytest.mark.parametrize("strict", [True, False])
def test_what_is_remembered_changes_nothing(strict: bool) -> None:
    """Whoever came before: the same person, the same problems, and no id that only claims to be a known one."""
    warm = Linker(None, strict=strict)
    for ids in [*product(LIKE_U, repeat=3), *product([*IDS, Liar("u")], ["u", None], ["u", None])]:
        for turned in (ids, ids[1:] + ids[:1], ids[2:] + ids[:2]):
            expected = outcome(Linker(None, strict=strict), turned)
            assert [outcome(warm, turned) for _ in range(2)] == [expected] * 2


def test_a_known_person_is_not_checked_again() -> None:
    """Told apart by the session, else the user, else the account."""
    linker = Linker(None, strict=True)
    people = [("u", "a", "s"), ("u", "a", None), (None, "a", None), (None, None, "t")]
    for usr, account, session in people:
        first = linker.link_ids(usr, account, session, pytest.fail)
        assert linker.link_ids(usr, account, session, pytest.fail) is first


def test_they_are_not_many() -> None:
    """A site has more visitors than a process has room for."""
    linker = Linker(None, strict=True)
    for number in range(MOST_PEOPLE + 5):
        linker.link_ids(f"u{number}", None, None, pytest.fail)

    assert len(linker._known) == 5
