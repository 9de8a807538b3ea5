"""What the shop tells of its customers. `AUTH_EVENTS` fires all but the first."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from dd_pa import Event


class SignUp(Struct):
    method: Literal["password"] = "password"


class SignedUp(Event, name="user.signed_up", owner="accounts"):
    """Somebody has become a customer."""

    sign_up: SignUp


class SignedIn(Event, name="user.signed_in", owner="accounts"):
    """A customer, or one of the staff, has signed in."""


class SignedOut(Event, name="user.signed_out", owner="accounts"):
    """And out."""


class SignInFailed(Event, name="user.sign_in_failed", owner="accounts"):
    """A password did not match; whose, is not told."""
