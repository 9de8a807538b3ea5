from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from dd_pa.settings.secrets import Secret
from tests.core.wire import settings

KEY = "marked-api-key-4711"


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(repr, id="repr"),
        pytest.param(str, id="str"),
        pytest.param(lambda secret: f"{secret}", id="f-string"),
        pytest.param(lambda secret: "{!r} {}".format(secret, [secret]), id="format"),  # noqa: UP032 - format is the case
        pytest.param(lambda secret: "%s %r" % (secret, secret), id="percent"),  # noqa: UP031 - percent is the case
        pytest.param(lambda secret: repr(copy.deepcopy(secret)), id="deepcopy"),
        pytest.param(lambda secret: repr({"API_KEY": secret}), id="in-a-dict"),
        pytest.param(lambda secret: json.dumps({"API_KEY": secret}, default=str), id="json"),
        pytest.param(lambda secret: pickle.dumps(secret).decode("latin-1"), id="pickle"),
        pytest.param(lambda secret: pickle.dumps(secret, protocol=0).decode("latin-1"), id="pickle-protocol-0"),
    ],
)
def test_a_secret_shows_itself_as_stars(shown: Callable[[Secret], str]) -> None:
    """Whatever prints, formats, copies or pickles it."""
    text = shown(Secret(KEY))

    assert KEY not in text
    assert "***" in text


def test_only_reveal_gives_the_value() -> None:
    """One method, easy to search for; nothing else leads to the value by iteration, length or addition."""
    secret = Secret(KEY)

    assert secret.reveal() == KEY
    assert [name for name in dir(secret) if not name.startswith("_")] == ["reveal"]
    conversions: list[Callable[[Any], object]] = [len, iter, bytes, vars]
    for conversion in conversions:
        with pytest.raises(TypeError):
            conversion(secret)


def test_secrets_are_equal_by_value() -> None:
    """So that settings can be compared and put into a set."""
    assert {Secret("a"), Secret("a"), Secret("b")} == {Secret("a"), Secret("b")}
    assert Secret("a") != "a"


@pytest.mark.parametrize("enabled", [pytest.param(True, id="enabled"), pytest.param(False, id="disabled")])
def test_settings_keep_the_key_secret(enabled: bool) -> None:
    """In repr, in dataclasses.asdict, in pickles; also where nothing is checked, because nothing is sent."""
    made = settings(api_key=KEY, enabled=enabled)

    for text in (repr(made), repr(dataclasses.asdict(made)), repr(dataclasses.astuple(made)), repr(pickle.dumps(made))):
        assert KEY not in text
    assert made.reveal_api_key() == KEY


def test_changed_copies_keep_the_key() -> None:
    """`dataclasses.replace` is how a glue or a test changes one setting."""
    assert dataclasses.replace(settings(api_key=KEY), strict=True).reveal_api_key() == KEY


def test_a_masked_copy_is_refused() -> None:
    """A key that was lost in a copy fails at start, not at the intake."""
    with pytest.raises(ValueError, match="API_KEY: is the mask of a key"):
        settings(**dataclasses.asdict(settings(api_key=KEY)))
