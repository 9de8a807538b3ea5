"""Whom an event belongs to. What is said in code, by a block, by a job and by the request is put together only where it
can be about one and the same person; docs/linking.md has the cases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dd_pa.capture.id_text import Id, as_id, is_same
from dd_pa.capture.person import DENIED, Identity, IdentityCallable, IdentitySource
from dd_pa.capture.traits import TraitsReader
from dd_pa.capture.work import Work, current_work, innermost_work
from dd_pa.errors import EventError
from dd_pa.observe import panel_log

OnProblem = Callable[[str], None]
Link = Callable[[Id | None, Id | None, Id | None, OnProblem], Identity]
Ids = tuple[Id | None, Id | None, Id | None]


MOST_PEOPLE = 1_000
"""People whose checked ids are remembered; all are forgotten when there are more."""


class ConsentUnknownError(Exception):
    """Whether a person agrees could not be found out; the text is the class of what was raised."""


class Linker:
    """Finds the person of an event: explicit ids, then `identify()`, then the job or the identity callable.

    `asks_consent`: it is asked first whether there may be an event at all; `needs_consent`: no answer is a no.
    """

    def __init__(
        self,
        identity: IdentityCallable | None,
        *,
        strict: bool,
        asks_consent: bool = False,
        needs_consent: bool = False,
        traits: TraitsReader | None = None,
    ) -> None:
        self._identity = identity
        self._known: dict[str | None, Identity] = {}
        """People whose ids were checked, by what tells them apart best: session, else user, else account."""

        self._strict = strict
        self._asks_consent = asks_consent
        self._needs_consent = needs_consent
        self._traits = traits

    def link(self, usr: Id | None, account: Id | None, session: Id | None, on_problem: OnProblem) -> Identity:
        """Return the person as `link_ids` does, with what is known of him if he is the one of the request."""
        found = self.link_ids(usr, account, session, on_problem)
        return found if self._traits is None else self._described(self._traits, found, on_problem)

    def _described(self, traits: TraitsReader, found: Identity, on_problem: OnProblem) -> Identity:
        work = current_work()
        if self._identity is None or found.consent is False or (work is not None and work.is_whole):
            return found
        source: Any = self._source(self._identity, on_problem)
        if not hasattr(source, "known"):  # an application's own identity callable
            return found
        try:
            return traits.described(found, source, on_problem)
        except Exception as error:
            if self._strict:
                raise
            on_problem(f"what is known could not be found out: {type(error).__name__}")
            return found

    def link_ids(self, usr: Id | None, account: Id | None, session: Id | None, on_problem: OnProblem) -> Identity:
        """Return the person. A bad or failing id raises in strict mode; else it is left out and told to `on_problem`.

        Without consent returns `DENIED`; raises `ConsentUnknownError` if asking failed (the failure in strict mode).
        """
        work = innermost_work()
        if work is not None or self._asks_consent:
            work = current_work()
            if self._consent(work) is False:
                return DENIED
            if work is not None:
                usr, account, session = self._completed_by_work(work, (usr, account, session), on_problem)
        if (
            self._identity is not None
            and (usr is None or account is None or session is None)
            and not (work is not None and work.is_whole)
        ):
            source = self._source(self._identity, on_problem)
            if source is not None:
                usr, account, session = self._completed_by(source, (usr, account, session), on_problem)
        key = session if session is not None else usr if usr is not None else account
        known = self._known.get(key) if type(key) is str else None
        if (
            known is not None  # the types are asked for as other things may claim to be equal to a text
            and (known.session is session or (type(session) is str and known.session == session))
            and (known.usr is usr or (type(usr) is str and known.usr == usr))
            and (known.account is account or (type(account) is str and known.account == account))
        ):
            return known
        return self.checked(usr, account, session, on_problem)

    def _completed_by_work(self, work: Work, ids: Ids, on_problem: OnProblem) -> Ids:
        if work.identity is not None:
            ids = _completed(ids, work.identity)
        job = _job(work)
        return ids if job is None or work.is_whole else self._completed_by(job, ids, on_problem)

    def link_owner(self, usr: Id | None, account: Id | None, session: Id | None, on_problem: OnProblem) -> Identity:
        """Return the person whose a thing is: with what is known of who acts only if that is this very user."""
        work = current_work()
        if self._consent(work) is False:
            return DENIED
        if usr is None or is_same(usr, self._acting_usr(work, on_problem)):
            return self.link(usr, account, session, on_problem)
        bound = None if work is None else work.identity
        if account is None and bound is not None and bound.usr is None:
            account = bound.account  # not of who acts, but said of everything in the block
        return self.checked(usr, account, session, on_problem)

    def link_owners(self) -> Link:
        """Return what links as `link_owner` does, for one operation: who acts is found out at its first event.

        What could not be found out then is asked for again, so that it is told of each event.
        """
        acting: Identity | None = None

        def link(usr: Id | None, account: Id | None, session: Id | None, on_problem: OnProblem) -> Identity:
            nonlocal acting
            if usr is not None or account is not None or session is not None:
                return self.link_owner(usr, account, session, on_problem)
            if acting is not None:
                return acting
            problems: list[str] = []
            found = self.link(None, None, None, problems.append)
            for problem in problems:
                on_problem(problem)
            acting = None if problems else found
            return found

        return link

    def link_whole(self, identity: Identity) -> Link:
        """Return what links an event to this person, and to nothing of who acts; but whether that agrees is asked."""

        def link(usr: Id | None, account: Id | None, session: Id | None, on_problem: OnProblem) -> Identity:
            if identity.consent is False or (identity.consent is None and self.consent() is False):
                return DENIED
            return self.checked(
                identity.usr if usr is None else usr,
                identity.account if account is None else account,
                identity.session if session is None else session,
                on_problem,
            )

        return link

    def consent(self) -> bool | None:
        """Return what the block or job says, else what the identity callable says if it is to be asked, else None.

        Where one is to be asked and cannot be any more, because the request is over, that is a no.
        """
        return self._consent(current_work())

    def _consent(self, work: Work | None) -> bool | None:
        if work is not None:
            said = _said(work)
            if said is not None:
                return said
            if work.has_lapsed:
                return False if self._asks_consent else None
        if not self._asks_consent or self._identity is None:
            return None
        try:
            source = self._identity()
            answer = None if source is None else source.consent
        except Exception as error:
            if self._strict:
                raise
            raise ConsentUnknownError(type(error).__name__) from None
        if answer is None:
            return False if source is not None and self._needs_consent else None
        return answer is True

    def _acting_usr(self, work: Work | None, on_problem: OnProblem) -> Id | None:
        if work is not None:
            job = _job(work)
            for said in (work.identity, None if work.is_whole else job):
                if said is not None and said.usr is not None:
                    return said.usr
            if work.is_whole:
                return None
        source = None if self._identity is None else self._source(self._identity, on_problem)
        return self._pull(source, "usr", on_problem)

    def _completed_by(self, source: IdentitySource, ids: Ids, on_problem: OnProblem) -> Ids:
        """Complete ids by a job or request: of the same user all, of an anonymous one the session, else nothing."""
        usr, account, session = ids
        if usr is None:
            usr = self._pull(source, "usr", on_problem)
            account = self._pull(source, "account", on_problem) if account is None else account
            return usr, account, self._pull(source, "session", on_problem) if session is None else session
        its_session = self._pull(source, "session", on_problem) if session is None else None
        its_account = None
        if its_session is None:  # who it is may take a query, and need not be known if there is nothing to be had
            its_account = self._pull(source, "account", on_problem) if account is None else None
            if its_account is None:
                return ids
        acting, problems = self._found(source, on_problem)
        if acting is None:
            return usr, account, its_session if session is None and not problems else session
        if not is_same(usr, acting):
            return ids
        if account is None:
            account = self._pull(source, "account", on_problem) if its_account is None else its_account
        return usr, account, its_session if session is None else session

    def _found(self, source: IdentitySource, on_problem: OnProblem) -> tuple[Id | None, list[str]]:
        """Return who acts, and why that could not be found out: then it may be anybody."""
        problems: list[str] = []
        acting = self._pull(source, "usr", problems.append)
        for problem in problems:
            on_problem(problem)
        return acting, problems

    def checked(self, usr: Id | None, account: Id | None, session: Id | None, on_problem: OnProblem) -> Identity:
        """Return ids as the texts that go on the wire, with no look at who is logged in."""
        try:
            found = Identity(
                usr=None if usr is None else as_id("usr", usr),
                account=None if account is None else as_id("account", account),
                session=None if session is None else as_id("session", session),
            )
            if len(self._known) >= MOST_PEOPLE:
                self._known.clear()
            self._known[found.session or found.usr or found.account] = found
            return found
        except EventError as error:
            if self._strict:
                raise
            on_problem(str(error))
            kept = {"usr": usr, "account": account, "session": session} | {error.path: None}
            return self.checked(**kept, on_problem=on_problem)

    def origins(self, given: Mapping[str, Id | None], found: Identity) -> dict[str, tuple[str, str]]:
        """Return each id that was just found for these, with what it is from; for a debug panel.

        Asks no callable of the application again: the identity says by `origin(name, id)`, where it has one.
        """
        ids = {name: getattr(found, name) for name in given}
        return {name: (value, self._origin(name, value, given[name])) for name, value in ids.items() if value}

    def _origin(self, name: str, found: str, given: Id | None) -> str:
        if given is not None:
            return panel_log.IN_CODE
        work = current_work()
        if work is not None and getattr(work.identity, name, None) == found:
            return panel_log.IN_BLOCK
        if work is not None and getattr(_job(work), name, None) == found:
            return panel_log.IN_JOB
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


def _job(work: Work) -> Identity | None:
    """Return whom the job is for that work is part of, if it still runs."""
    return None if work.base is None or work.base.is_over else work.base.job


def _said(work: Work) -> bool | None:
    """Return what the block, else the job around it, says about consent."""
    if work.identity is not None and work.identity.consent is not None:
        return work.identity.consent
    job = _job(work)
    return None if job is None else job.consent


def _completed(ids: Ids, bound: Identity) -> Ids:
    """Complete ids by those of a block, unless that is about another user."""
    usr, account, session = ids
    if usr is not None and bound.usr is not None and not is_same(usr, bound.usr):
        return ids
    return (
        bound.usr if usr is None else usr,
        bound.account if account is None else account,
        bound.session if session is None else session,
    )
