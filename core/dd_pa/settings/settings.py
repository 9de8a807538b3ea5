"""One frozen value for everything that can be configured; all frameworks share it and its checks.

Where the values come from (a Django dict, Flask's config, the environment) is the concern of `settings.source`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from dd_pa.errors import SettingsError
from dd_pa.settings import addresses, checks, rum_checks, secrets
from dd_pa.settings.checks import Resolver
from dd_pa.settings.relay_address import RelayAddress, address
from dd_pa.settings.secrets import Secret
from dd_pa.settings.source import read

Switch = Callable[[], bool] | str
"""A callable, or the dotted path of one, that says whether there may be an event now."""


Attributes = Callable[..., Any] | str | Sequence[str] | None
"""A callable or its dotted path, or the names of fields of the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be configured. Making one checks it: `SettingsError` names the key and the fix."""

    application_id: str = ""
    """Id of the RUM application (with Product Analytics enabled) that the events belong to. Required."""

    api_key: str | Secret | None = field(default=None, repr=False)
    """Datadog API key (not the browser's client token). Required; kept as a `Secret`, shown as `***`."""

    site: str = "datadoghq.com"
    """Datadog site; decides the intake's host. Not looked at when `INTAKE_URL` is set."""

    intake_url: str | None = None
    """Origin that takes the events instead of the site's: the emulator (`http://127.0.0.1:8994`) or your own relay."""

    relay_url: str | Secret | None = field(default=None, repr=False)
    """Broker that takes the events instead of the intake (`redis://…`, `nats://…`, `amqp://…`, `kafka://…`);
    `dd-pa deliver --from` delivers them from there, and no `API_KEY` is needed here. Kept as a `Secret`."""

    tap_url: str | Secret | None = field(default=None, repr=False)
    """Broker that gets a copy of each event for other readers, beside the usual delivery. Kept as a `Secret`."""

    transport: Literal["auto", "httpx"] = "auto"
    """Who speaks HTTP: `"auto"`, our own HTTP/2 where the intake speaks it and no proxy is set, else httpx; `"httpx"`
    for everything. A `transport` given to the emitter wins."""

    proxy: str | None = field(default=None, repr=False)
    """HTTP proxy for delivery (`http://user:pass@host:port`). Proxy variables of the environment are not read."""

    ca_file: str | None = None
    """PEM file of certificate authorities to trust besides the usual ones. Verification cannot be turned off."""

    service: str | None = None
    """Sent with each event as `service`, when set."""

    env: str | None = None
    """Sent with each event as `env`, when set."""

    version: str | None = None
    """Sent with each event as `version`, when set."""

    enabled: bool | Switch = True
    """False: `track()` returns at once, nothing is built, stored or sent, and no key is needed. A callable without
    arguments, or its dotted path, is asked at each event, and its failure is a no."""

    strict: bool = False
    """True: a bad event raises `EventError`. False: it is repaired or dropped, and counted.
    Django and Flask default it to their debug flag."""

    buffer_size: int = 10_000
    """Most events that wait in memory."""

    buffer_max_bytes: int = 33_554_432
    """Most bytes of events that wait in memory; one event is kept, of any size."""

    overflow: Literal["drop_oldest", "drop_newest"] = "drop_oldest"
    """Which event goes when the buffer is full."""

    spool_dir: str | None = "auto"
    """Directory in which events wait, so that a kill of the process loses none: a path, `"auto"` for one in the user's
    state directory, or None for memory only."""

    spool_max_bytes: int = 268_435_456
    """Most bytes on disk, for all processes that send to the same application; the oldest events go."""

    spool_sync: bool = False
    """True: wait for the disk at each event, so that a loss of power loses none either. Costs milliseconds."""

    delivery: Literal["thread", "process"] = "thread"
    """Who delivers: a thread of this process, or `dd-pa deliver` for all processes of the host."""

    concurrency: int = 100
    """Most requests in flight over HTTP/2; at most 32 are used over HTTP/1.1."""

    timeout: float = 10.0
    """Seconds that a request may take to connect, and again to be answered, before it is retried."""

    shutdown_timeout: float = 2.0
    """Seconds that `close()` and the end of the process may take in all to deliver what waits."""

    max_age: float = 7 * 24 * 3600.0
    """Seconds after which an event that could not be delivered is dropped."""

    before_send: Resolver = field(default=None, repr=False)
    """Callable of an `EventDraft` that returns it, changed or not, or None to drop the event (as a failure does)."""

    sample_rates: Mapping[str, float] | None = field(default=None, hash=False)
    """Percent of the people whose events of a name are kept: `{"search.typed": 10, "page.*": 50}`. What is kept says
    its rate as `dd_pa.sample_rate`."""

    user_id: Resolver = field(default=None, repr=False)
    """Callable of the request that returns `usr.id` or None, instead of the framework's login."""

    account_id: Resolver = field(default=None, repr=False)
    """Callable of the request that returns `account.id` or None. Without one, only explicit accounts are sent."""

    session_id: Resolver = field(default=None, repr=False)
    """Callable of the request that returns `session.id` or None, instead of the browser SDK's baggage and cookie."""

    user_attributes: Attributes = field(default=None, repr=False)
    """What is known about the user, put beside `usr.id`: a callable of the request that returns a mapping or None, or
    the names of fields of the user. Called once per request, if there is an event."""

    account_attributes: Attributes = field(default=None, repr=False)
    """The same about the account, put beside `account.id`."""

    anonymous_id: bool = False
    """True: the browser SDK's anonymous id of the visitor is put beside `usr.id`."""

    rum_session_sample_rate: float = 100.0
    """The browser SDK's `sessionSampleRate` (percent), so that no session is claimed that
    RUM did not keep (SDK v7 decides by the session's id)."""

    rum_cookie_options: str | None = None
    """The `c` value of the session cookie to prefer among several: `"0"` host-only, `"2"` for `.example.com`."""

    on_commit: bool = True
    """An event tracked in a transaction of Django or of Flask-SQLAlchemy's `db.session` leaves when that commits, and
    vanishes when it is rolled back."""

    auth_events: bool = False
    """True: sign-ins, sign-outs, failed sign-ins and sign-ups of the framework are tracked as events."""

    consent: Resolver = field(default=None, repr=False)
    """Callable of the request that returns whether events of it may be sent; False drops them, as a failure does."""

    respect_gpc: bool = False
    """True: the events of a request with `Sec-GPC: 1` (Global Privacy Control) are dropped."""

    client_token: str | None = field(default=None, repr=False)
    """The browser SDK's client token (`pub…`), which is public: what `dd_pa_rum` puts into a page. Never an API key."""

    rum_sdk_version: str = "v7"
    """Major version of the browser SDK that pages load from Datadog."""

    rum_sdk_url: str | None = None
    """Where pages load the SDK from instead: a path of this site, or an https address."""

    rum_sdk_integrity: str | None = None
    """Hash (`sha384-…`) that the browser compares the file at `RUM_SDK_URL` with."""

    rum_options: Mapping[str, Any] | None = field(default=None, hash=False)
    """More options of `DD_RUM.init()`, as JSON: `{"proxy": …, "allowedTracingUrls": […]}`."""

    session_fallback: bool = False
    """True: where there is no session of the browser SDK, `session.id` is a pseudonym of the framework's session."""

    job_secret: str | bytes | Secret | None = field(default=None, repr=False)
    """Secret that signs the identity sent along with jobs. Django and Flask default it to their `SECRET_KEY`."""

    job_secret_fallbacks: str | Sequence[str | bytes | Secret] = field(default=(), repr=False)
    """Former secrets, accepted from jobs that were queued before a change; in one text separated by commas.
    Django and Flask default them to their `SECRET_KEY_FALLBACKS`."""

    personal_data: Literal["omit", "hash", "send"] = "omit"
    """What becomes of the fields of typed events that are marked `Personal`: left out, replaced by a hash with
    `PERSONAL_DATA_KEY`, or sent."""

    personal_data_key: str | Secret | None = field(default=None, repr=False)
    """Secret for the hashes of personal data. Kept as a `Secret`. Another one makes other hashes of the same values."""

    api_url: str | None = None
    """Origin that answers queries; unset, `INTAKE_URL` where that is on this machine (the emulator), else the site."""

    app_key: str | Secret | None = field(default=None, repr=False)
    """Datadog application key with the permission `rum_apps_read`; for queries only. Kept as a `Secret`."""

    bearer_token: str | Secret | None = field(default=None, repr=False)
    """Access token to send with queries instead of both keys. Kept as a `Secret`."""

    outbox: bool = False
    """Django: store events in the database, in the transaction of the data; `manage.py dd_pa_deliver` delivers them."""

    trace_ids: bool = True
    """True: an event carries the ids of the span that is current in ddtrace or OpenTelemetry, where that is loaded."""

    def __post_init__(self) -> None:
        for key in ("before_send", "user_id", "account_id", "session_id", "consent"):
            self._set(key, checks.resolver(key.upper(), getattr(self, key)))
        for key in ("user_attributes", "account_attributes"):
            self._set(key, checks.known_attributes(key.upper(), getattr(self, key)))
        self._set("enabled", checks.switch(self.enabled))
        self._set("sample_rates", checks.sample_rates(self.sample_rates))
        self._check_amounts()
        self._set("spool_dir", checks.spool(self.spool_dir, self.delivery))
        self._set("client_token", rum_checks.client_token(self.client_token))
        self._set("rum_options", rum_checks.options(self.rum_options, self.rum_session_sample_rate))
        rum_checks.sdk(self.rum_sdk_version, self.rum_sdk_url, self.rum_sdk_integrity)
        self._mask_secrets()
        if self.enabled:
            self._check_destination()

    def _check_amounts(self) -> None:
        for key in ("buffer_size", "buffer_max_bytes", "concurrency", "spool_max_bytes"):
            checks.count(key.upper(), getattr(self, key))
        checks.seconds("TIMEOUT", self.timeout)
        checks.seconds("MAX_AGE", self.max_age)
        checks.patience("SHUTDOWN_TIMEOUT", self.shutdown_timeout)
        checks.percentage("RUM_SESSION_SAMPLE_RATE", self.rum_session_sample_rate)
        checks.choice("TRANSPORT", self.transport, ("auto", "httpx"))
        checks.choice("OVERFLOW", self.overflow, ("drop_oldest", "drop_newest"))

    def _mask_secrets(self) -> None:
        for key in ("api_key", "app_key", "bearer_token"):
            self._set(key, secrets.masked(getattr(self, key)))
        self._set("job_secret", secrets.job_secret("JOB_SECRET", self.job_secret))
        self._set("job_secret_fallbacks", secrets.job_secret_fallbacks(self.job_secret_fallbacks))
        self._set("personal_data_key", secrets.personal_data_key(self.personal_data, self.personal_data_key))

    def _check_destination(self) -> None:
        self._set("application_id", checks.application_id(self.application_id))
        self._set("relay_url", secrets.masked(self.relay_url))
        self._set("tap_url", secrets.masked(self.tap_url))
        if self.tap is not None and self.relay is not None and self.tap.shown == self.relay.shown:
            raise SettingsError("TAP_URL", "is the stream of RELAY_URL, which has every event already")
        if self.relay is None:
            self._set("api_key", secrets.api_key(secrets.masked(self.api_key)))
        self._set("intake_url", addresses.intake(self.intake_url, self.site))
        self._set("api_url", addresses.api(self.api_url, self.intake_url, self.site))
        addresses.proxy(self.proxy)
        checks.ca_file(self.ca_file)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def relay(self) -> RelayAddress | None:
        """The broker that takes the events, if one does. Raises `SettingsError`, when the settings are made."""
        return None if self.relay_url is None else address("RELAY_URL", self.relay_url)

    @property
    def tap(self) -> RelayAddress | None:
        """The broker that gets copies, if one does. Raises `SettingsError`, when the settings are made."""
        return None if self.tap_url is None else address("TAP_URL", self.tap_url)

    @property
    def destination(self) -> str:
        """Who takes the events, without any secret: the intake's origin, or the broker's address."""
        return str(self.intake_url) if self.relay is None else self.relay.shown

    @property
    def asks_consent(self) -> bool:
        """Whether a request is asked for consent before an event of it."""
        return self.consent is not None or self.respect_gpc

    @property
    def is_local(self) -> bool:
        """Whether events go to an intake on this machine."""
        return self.relay_url is None and addresses.is_loopback(urlsplit(str(self.intake_url)).hostname or "")

    def reveal_api_key(self) -> str:
        """Return the API key in clear; for the one place that puts it into a header."""
        return self.api_key.reveal() if isinstance(self.api_key, Secret) else ""

    def reveal_personal_data_key(self) -> str:
        """Return the key of the hashes in clear; empty without one."""
        return self.personal_data_key.reveal() if isinstance(self.personal_data_key, Secret) else ""

    def reveal_job_secrets(self) -> list[str]:
        """Return the secrets of jobs in clear, the one that signs first; empty without one."""
        secrets = (self.job_secret, *self.job_secret_fallbacks) if self.job_secret else ()
        return [secret.reveal() for secret in secrets if isinstance(secret, Secret)]

    @classmethod
    def from_mapping(
        cls,
        mapping: Mapping[str, object],
        *,
        environ: Mapping[str, str] | None = None,
        defaults: Mapping[str, object] | None = None,
        label: str = "{}",
    ) -> Self:
        """Make settings from upper-case keys (`{"APPLICATION_ID": …}`); texts are converted to the setting's type.

        A key that `mapping` leaves out is taken from `environ` when one is given (`DD_PA_<KEY>`, and `DD_API_KEY`,
        `DD_SITE`, `DD_SERVICE`, `DD_ENV`, `DD_VERSION`, `DD_APP_KEY`, `DD_BEARER_TOKEN` as Datadog's other libraries
        read them), then from `defaults`. `label` is how the keys are written in errors: `"DD_PA['{}']"`.
        Raises `SettingsError`.
        """
        try:
            return read(cls, mapping, environ=environ, defaults=defaults, label=label)
        except SettingsError as error:
            del mapping, environ, defaults  # error reports show the local variables of every frame: here, the key
            raise error.with_traceback(None) from error.__cause__

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Make settings from the environment alone (`os.environ` when none is given). Raises `SettingsError`."""
        import os  # noqa: PLC0415 - nothing else here may read the environment

        return cls.from_mapping({}, environ=os.environ if environ is None else environ, label="DD_PA_{}")
