from __future__ import annotations

from collections.abc import Callable, Mapping

from dd_pa import trail
from dd_pa.capture.identity import Id, Identity, IdentityCallable, IdentitySource, as_id, bound_identity, job_identity
from dd_pa.errors import EventError

OnProblem = Callable[[str], None]
Link = Callable[[Id | None, Id | None, Id | None, OnProblem], Identity]

DENIED = Identity(consent=False)
"""Of somebody who does not want events: no id is known."""


class ConsentUnknownError(Exception):
    """Whether a person agrees could not be found out; the text is the class of what was raised."""


class Linker:
    """Finds the ids of an event: explicit, then `identify()`, then what the identity callable says.

    `asks_consent`: the callable is asked first whether there may be an event at all.
    """

    def __init__(self, identity: IdentityCallable | None, *, strict: bool, asks_consent: bool = False) -> None:
        self._identity = identity
        self._strict = strict
        self._asks_consent = asks_consent and identity is not None

    def link(self, usr: Id | None, account: Id | None, session: Id | None, on_problem: OnProblem) -> Identity:
        """Return the ids. A bad or failing one raises in strict mode; else it is left out and told to `on_problem`.

        Without consent returns `DENIED`; raises `ConsentUnknownError` if asking failed (the failure in strict mode).
        """
        bound = bound_identity()
        if self._asks_consent and self.consent() is False:
            return DENIED
        if bound is not None:
            if bound.consent is False:
                return DENIED
            usr = bound.usr if usr is None else usr
            account = bound.account if account is None else account
            session = bound.session if session is None else session
        if self._identity is not None and (usr is None or account is None or session is None):
            source = self._source(self._identity, on_problem)
            usr = self._pull(source, "usr", on_problem) if usr is None else usr
            account = self._pull(source, "account", on_problem) if account is None else account
            session = self._pull(source, "session", on_problem) if session is None else session
        return self.checked(usr, account, session, on_problem)

    def link_owner(self, usr: Id | None, account: Id | None, session: Id | None, on_problem: OnProblem) -> Identity:
        """Return the ids as `link` does, but no others than these if they are of somebody else than who acts."""
        acting = None if usr is None or self.consent() is False else self._acting_usr(on_problem)
        if acting is None or str(acting) == str(usr):
            return self.link(usr, account, session, on_problem)
        return self.checked(usr, account, session, on_problem)

    def _acting_usr(self, on_problem: OnProblem) -> Id | None:
        bound = bound_identity()
        if bound is not None and bound.usr is not None:
            return bound.usr
        source = None if self._identity is None else self._source(self._identity, on_problem)
        return self._pull(source, "usr", on_problem)

    def consent(self) -> bool | None:
        """Return what the block says, else what the identity callable says if it is to be asked, else None."""
        bound = bound_identity()
        if bound is not None and bound.consent is not None:
            return bound.consent
        if not self._asks_consent or self._identity is None:
            return None
        try:
            source = self._identity()
            said = None if source is None else source.consent
        except Exception as error:
            if self._strict:
                raise
            raise ConsentUnknownError(type(error).__name__) from None
        return None if said is None else said is True

    def checked(self, usr: Id | None, account: Id | None, session: Id | None, on_problem: OnProblem) -> Identity:
        """Return ids as the texts that go on the wire, with no look at who is logged in."""
        try:
            return Identity(
                usr=None if usr is None else as_id("usr", usr),
                account=None if account is None else as_id("account", account),
                session=None if session is None else as_id("session", session),
            )
        except EventError as error:
            if self._strict:
                raise
            on_problem(str(error))
            kept = {"usr": usr, "account": account, "session": session} | {error.path: None}
            return self.checked(**kept, on_problem=on_problem)

    def origins(self, given: Mapping[str, Id | None], found: Identity) -> dict[str, tuple[str, str]]:
        """Return each id that `link` has just found for these, with what it is from; for a debug panel.

        Asks no callable of the application again: the identity says by `origin(name, id)`, where it has one.
        """
        ids = {name: getattr(found, name) for name in given}
        return {name: (value, self._origin(name, value, given[name])) for name, value in ids.items() if value}

    def _origin(self, name: str, found: str, given: Id | None) -> str:
        if given is not None:
            return trail.IN_CODE
        if getattr(bound_identity(), name, None) is not None:
            return trail.IN_JOB if getattr(job_identity(), name, None) == found else trail.IN_BLOCK
        try:
            source: object = None if self._identity is None else self._identity()
            say = getattr(source, "origin", None)
            return "identity callable" if say is None else str(say(name, found))
        except Exception as error:  # what only a panel asks must not change what becomes of the event
            return f"unknown: {type(error).__name__}"

    def _source(self, identity: IdentityCallable, on_problem: OnProblem) -> IdentitySource | None:
        try:
            return identity()
        except Exception as error:
            if self._strict:
                raise
            on_problem(f"the identity callable failed: {type(error).__name__}")
            return None

    def _pull(self, source: IdentitySource | None, name: str, on_problem: OnProblem) -> Id | None:
        if source is None:
            return None
        try:
            found: Id | None = getattr(source, name)
        except Exception as error:
            if self._strict:
                raise
            on_problem(f"{name}: could not be found out: {type(error).__name__}")
            return None
        return found
