"""`DD_PA` is checked before the server serves, and read again when a test overrides it."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.core.wsgi import get_wsgi_application
from django.test import Client, override_settings

import dd_pa_django
from dd_pa import Emitter, SettingsError
from dd_pa_django import get_emitter, track
from dd_pa_django.checks import check_settings
from tests.django_app.conftest import Configure

GOOD = {"APPLICATION_ID": "shop", "API_KEY": "marked-secret", "INTAKE_URL": "http://127.0.0.1:9"}
WITHOUT_MIDDLEWARE: dict[str, Any] = {"MIDDLEWARE": []}

WRONG = [
    pytest.param({**GOOD, "APPLICATION_IDD": "x"}, "DD_PA['APPLICATION_IDD']", "did you mean", id="unknown key"),
    pytest.param({**GOOD, "API_KEY": "pässword"}, "DD_PA['API_KEY']", "non-ASCII", id="bad key"),
    pytest.param({**GOOD, "INTAKE_URL": "x"}, "DD_PA['INTAKE_URL']", "give an origin", id="bad address"),
    pytest.param({**GOOD, "STRICT": "perhaps"}, "DD_PA['STRICT']", "true or false", id="bad flag"),
    pytest.param({**GOOD, "USER_ID": "no.such.thing"}, "DD_PA['USER_ID']", "dotted path", id="bad resolver"),
    pytest.param({"APPLICATION_IDD": "x"}, "DD_PA['APPLICATION_IDD']", "did you mean", id="unknown and missing"),
    pytest.param([("API_KEY", "k")], "DD_PA", "must be a dict", id="no dict"),
]
WRONG_KEYS = [pytest.param(*item.values[:2], id=item.id) for item in WRONG]
INCOMPLETE = [
    pytest.param({}, "DD_PA['APPLICATION_ID']", id="nothing"),
    pytest.param({**GOOD, "API_KEY": None}, "DD_PA['API_KEY']", id="no key"),
    pytest.param({**GOOD, "API_KEY": ""}, "DD_PA['API_KEY']", id="empty key"),
]


@pytest.mark.parametrize(("given", "key", "fix"), WRONG)
def test_wrong_settings_fail_the_system_check(given: Any, key: str, fix: str) -> None:
    """With the name of the key and the fix, never the value of a secret."""
    with override_settings(DD_PA=given):
        [message] = check_settings()

        with pytest.raises(SystemCheckError, match=r"dd_pa\.E001"):
            call_command("check")

    assert message.id == "dd_pa.E001"
    assert message.msg.startswith(f"{key}: ")
    assert fix in message.msg
    assert "marked-secret" not in message.msg


@pytest.mark.parametrize(("given", "key"), INCOMPLETE)
def test_missing_settings_are_a_warning_of_the_system_check(given: Any, key: str) -> None:
    """Commands run where there are no secrets: in CI, or while an image is built."""
    with override_settings(DD_PA=given):
        [message] = check_settings()

        call_command("check")
        call_command("migrate", verbosity=0, skip_checks=False)

    assert message.id == "dd_pa.W001"
    assert message.msg.startswith(f"{key}: is missing; set ")


def test_good_settings_pass_the_system_check() -> None:
    """No message, also if the check is run as Django runs it."""
    assert check_settings() == []
    with override_settings(SILENCED_SYSTEM_CHECKS=["dd_pa.W010"]):  # models of other tests have a plain manager
        call_command("check", fail_level="WARNING")


@pytest.mark.parametrize(("given", "key"), [*WRONG_KEYS, *INCOMPLETE])
def test_server_does_not_start_with_bad_settings(given: Any, key: str) -> None:
    """The error names the key, and what the core said is its cause."""
    with override_settings(DD_PA=given), pytest.raises(ImproperlyConfigured) as raised:
        get_wsgi_application()

    assert str(raised.value).startswith(f"{key}: ")
    assert isinstance(raised.value.__cause__, SettingsError) or key == "DD_PA"


def test_app_without_settings_is_incomplete() -> None:
    """`DD_PA` may come from the environment as a whole, so that its absence is no other error."""
    with override_settings():
        from django.conf import settings  # noqa: PLC0415 - the overridden ones

        del settings.DD_PA
        [message] = check_settings()

    assert message.id == "dd_pa.W001"


def test_environment_completes_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Datadog's other libraries read it; the dict wins."""
    monkeypatch.setenv("DD_API_KEY", "from-env")
    monkeypatch.setenv("DD_SERVICE", "shop")
    monkeypatch.setenv("DD_PA_APPLICATION_ID", "not this")

    with override_settings(DD_PA={"APPLICATION_ID": "this"}):
        settings = get_emitter().settings

    assert (settings.application_id, settings.reveal_api_key(), settings.service) == (
        "this",
        "from-env",
        "shop",
    )


@pytest.mark.parametrize("debug", [True, False])
def test_strict_follows_debug(debug: bool) -> None:
    """Unless DD_PA says otherwise."""
    with override_settings(DEBUG=debug, DD_PA=GOOD):
        default = get_emitter().settings.strict
    with override_settings(DEBUG=debug, DD_PA={**GOOD, "STRICT": not debug}):
        explicit = get_emitter().settings.strict

    assert (default, explicit) == (debug, not debug)


def test_overridden_settings_make_another_emitter() -> None:
    """The old one is closed: what is tracked to it later is counted, not lost in silence."""
    with override_settings(DD_PA={**GOOD, "SPOOL_DIR": None}):
        before = get_emitter()
        with override_settings(DD_PA={**GOOD, "SERVICE": "other"}):
            inside = get_emitter()
        after = get_emitter()

    assert [before.settings.service, inside.settings.service, after.settings.service] == [None, "other", None]
    assert before.track("too.late", usr="u-1") is None
    assert before.stats().dropped == {"closed": 1}


def test_threads_make_one_emitter(configure: Configure) -> None:
    """However many ask for the first time at once."""
    configure()
    barrier = threading.Barrier(8)
    made: list[Emitter] = []

    def ask() -> None:
        barrier.wait()
        made.append(get_emitter())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 8
    assert len(set(map(id, made))) == 1


def test_process_with_bad_settings_and_no_middleware_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    """A worker is not broken for want of analytics, and does not hide it."""
    with override_settings(DD_PA={**GOOD, "SIET": "x"}), caplog.at_level(logging.ERROR, "dd_pa"):
        tracked = [track("job.done", usr="u-1"), track("job.done", usr="u-1")]

    assert tracked == [None, None]
    assert [record.getMessage()[:55] for record in caplog.records] == [
        "no event of this process is sent: DD_PA['SIET']: unknow"
    ]


def test_bad_settings_raise_in_debug_and_the_page_hides_the_key() -> None:
    """Django's debug page shows local variables and settings: the key is in neither."""
    with override_settings(DEBUG=True, DD_PA={**GOOD, "SIET": "x"}, **WITHOUT_MIDDLEWARE):
        response = Client(raise_request_exception=False).get("/tracking/")

    assert response.status_code == 500
    assert b"unknown setting" in response.content
    assert b"marked-secret" not in response.content


def test_error_of_a_bad_event_hides_the_key(client: Client) -> None:
    """The same for what strict mode raises out of a view."""
    with override_settings(DEBUG=True, DD_PA={**GOOD, "SESSION_ID": lambda request: "\0"}):
        response = Client(raise_request_exception=False).get("/tracking/")

    assert response.status_code == 500
    assert b"printable characters" in response.content
    assert b"marked-secret" not in response.content


def test_unknown_command_is_no_concern_of_ours() -> None:
    """Commands that need no events start without an emitter."""
    with override_settings(DD_PA={}), pytest.raises(CommandError):
        call_command("no_such_command")


def test_import_needs_no_settings_and_starts_nothing() -> None:
    """`from dd_pa_django import track` works at the top of any module, models included."""
    code = (
        "import sys, threading, dd_pa_django\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "from django.apps import apps; from django.conf import settings\n"
        "assert not settings.configured and not apps.ready\n"
        "assert 'django.contrib.auth.models' not in sys.modules\n"
        "assert 'rest_framework' not in sys.modules and 'flask' not in sys.modules\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd="/")

    assert (done.returncode, done.stderr) == (0, "")


def test_public_names() -> None:
    """Sorted, and all there."""
    assert dd_pa_django.__all__ == [
        "TrackedQuerySet",
        "atrack",
        "find_emitter",
        "form_accepted",
        "get_emitter",
        "track",
        "track_model",
        "tracked",
    ]
    assert all(hasattr(dd_pa_django, name) for name in dd_pa_django.__all__)
