"""`dd_pa_rum()`: what it renders, for whom, and what it does to the response's headers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Request, Response, render_template_string, request, stream_template_string
from flask.testing import FlaskClient
from flask_talisman import Talisman

import dd_pa_django
import dd_pa_flask
from dd_pa import SettingsError, identify
from dd_pa_flask import ProductAnalytics
from tests.flask_app.conftest import MakeApp, delivered, state_of
from tests.page_scripts import scripts_of, setup_in

TOKEN = "pub0123456789abcdef0123456789abcdef"
KEY = "0123456789abcdef0123456789abcdef"
PAGE = "<!doctype html><head>{{ dd_pa_rum() }}</head>"
HOSTILE = "</script><script>alert(1)</script><!--]]>&'\""


def scripts(response: Any) -> list[dict[str, Any]]:
    return scripts_of(response.get_data(as_text=True))


def setup_of(response: Any) -> dict[str, Any]:
    return setup_in(response.get_data(as_text=True))


def caching(response: Any) -> tuple[str | None, str | None]:
    return response.headers.get("Cache-Control"), response.headers.get("Vary")


def user_of(current: Request) -> str | None:
    return current.args.get("user")


@pytest.fixture
def shop(make_app: MakeApp, analytics: ProductAnalytics) -> Flask:
    """An app with pages; who asks stands in the address."""
    app = make_app(DD_PA_CLIENT_TOKEN=TOKEN, DD_PA_USER_ID=user_of, DD_PA_RUM_OPTIONS={"proxy": "/rum"})
    add_pages(app, analytics)
    return app


def add_pages(app: Flask, analytics: ProductAnalytics) -> None:
    @app.get("/page")
    def page() -> str:
        return render_template_string(PAGE)

    @app.get("/plain")
    def plain() -> str:
        return "plain"

    @app.get("/tracking")
    @analytics.tracked("page.seen")
    def tracking() -> str:
        return render_template_string(PAGE)

    @app.get("/public")
    def public() -> Response:
        response = Response(render_template_string(PAGE), headers={"Vary": "Accept-Language"})
        response.cache_control.public = True
        response.cache_control.max_age = 600
        return response

    @app.get("/streamed")
    def streamed() -> Any:
        return stream_template_string("<!doctype html>{{ dd_pa_rum() }}")


@pytest.fixture
def client(shop: Flask) -> FlaskClient:
    return shop.test_client()


def test_page_of_somebody(client: FlaskClient, shop: Flask, emulator: Any) -> None:
    """The page names the user as the event of the same request does, and is kept out of caches."""
    answer = client.get("/tracking?user=7")

    assert [{key: value for key, value in item.items() if key != "text"} for item in scripts(answer)] == [
        {"id": "dd-pa-rum", "type": "application/json"},
        {"src": "https://www.datadoghq-browser-agent.com/us1/v7/datadog-rum.js", "defer": None},
        {"src": "/dd_pa/rum.js", "defer": None},
    ]
    assert setup_of(answer) == {
        "init": {
            "applicationId": shop.config["DD_PA_APPLICATION_ID"],
            "clientToken": TOKEN,
            "site": "datadoghq.com",
            "sessionSampleRate": 100.0,
            "proxy": "/rum",
        },
        "user": {"id": "7"},
    }
    assert caching(answer) == ("private, no-store", "Cookie")
    assert [event["usr"] for event in delivered(shop, emulator)] == [{"id": "7"}]


def test_page_of_nobody_keeps_its_headers(client: FlaskClient) -> None:
    """No ids, no marks; nor for pages without the global, nor for the next request."""
    client.get("/page?user=7")
    answers = [client.get("/page"), client.get("/plain?user=7")]

    assert sorted(setup_of(answers[0])) == ["init"]
    assert [caching(answer) for answer in answers] == [(None, None)] * 2


def test_what_the_view_said_of_caches_is_overruled(client: FlaskClient) -> None:
    """An id must not come out of a shared cache because a decorator calls all its pages public."""
    assert caching(client.get("/public")) == ("public, max-age=600", "Accept-Language")
    assert caching(client.get("/public?user=7")) == ("max-age=600, private, no-store", "Accept-Language, Cookie")


def test_hostile_ids_stay_data(client: FlaskClient) -> None:
    """An id cannot end the script that it stands in."""
    answer = client.get("/page", query_string={"user": HOSTILE})

    assert len(scripts(answer)) == 3
    assert setup_of(answer)["user"] == {"id": HOSTILE}


def test_streamed_page_names_nobody(client: FlaskClient) -> None:
    """Its headers are on their way before it is rendered: nothing could keep it private."""
    answer = client.get("/streamed?user=7")

    assert sorted(setup_of(answer)) == ["init"]
    assert caching(answer) == (None, None)


def test_consent_is_passed_on(make_app: MakeApp, analytics: ProductAnalytics) -> None:
    """Who has not agreed is not named, and the SDK is told to wait; no cache mixes the two up."""
    app = make_app(
        DD_PA_CLIENT_TOKEN=TOKEN, DD_PA_USER_ID=user_of, DD_PA_CONSENT=lambda current: "agreed" in current.args
    )
    add_pages(app, analytics)
    denied, streamed, granted = (
        app.test_client().get(address) for address in ("/page?user=7", "/streamed?user=7&agreed", "/page?user=7&agreed")
    )

    setups = [setup_of(answer) for answer in (denied, streamed, granted)]
    consents = [setup["init"]["trackingConsent"] for setup in setups]

    assert consents == ["not-granted", "not-granted", "granted"]
    assert [setup.get("user") for setup in setups] == [None, None, {"id": "7"}]
    assert caching(denied) == caching(granted) == ("private, no-store", "Cookie")


def test_outside_of_a_request_nobody_is_named(make_app: MakeApp) -> None:
    """A page made by a command, or for a mail."""
    app = make_app(DD_PA_CLIENT_TOKEN=TOKEN, SERVER_NAME="shop.example")
    with app.app_context(), identify(usr="7"):
        page = render_template_string(PAGE)

    assert sorted(setup_in(page)) == ["init"]


def test_nonce_of_the_request(shop: Flask) -> None:
    """The one that Flask-Talisman's header names, on both scripts that run."""
    Talisman(shop, force_https=False, content_security_policy_nonce_in=["script-src"],
             content_security_policy={"script-src": ""})  # fmt: skip
    answer = shop.test_client().get("/page")
    [nonce] = {script.get("nonce") for script in scripts(answer)[1:]}

    assert f"'nonce-{nonce}'" in answer.headers["Content-Security-Policy"]
    assert "nonce" not in scripts(answer)[0]


def test_nonce_is_escaped(shop: Flask) -> None:
    """An app may put anything there."""

    def set_nonce() -> None:
        request.csp_nonce = HOSTILE  # type: ignore[attr-defined]

    shop.before_request(set_nonce)

    assert [script.get("nonce") for script in scripts(shop.test_client().get("/page"))] == [None, HOSTILE, HOSTILE]


def test_static_script_is_the_one_of_django(client: FlaskClient) -> None:
    """One script, in both packages, as neither may need the other."""
    ours = Path(str(dd_pa_flask.__file__)).with_name("static") / "rum.js"
    theirs = Path(str(dd_pa_django.__file__)).with_name("static") / "dd_pa" / "rum.js"
    with client.get("/dd_pa/rum.js") as answer:
        assert answer.data == ours.read_bytes() == theirs.read_bytes()
        assert answer.mimetype == "text/javascript"


def test_own_file_with_a_hash(make_app: MakeApp, analytics: ProductAnalytics) -> None:
    """The browser compares what it gets."""
    app = make_app(DD_PA_CLIENT_TOKEN=TOKEN, DD_PA_RUM_SDK_URL="/rum.js?v=7&x", DD_PA_RUM_SDK_INTEGRITY="sha384-ab+/=")
    add_pages(app, analytics)
    sdk = scripts(app.test_client().get("/page"))[1]

    assert (sdk["src"], sdk["integrity"], sdk["crossorigin"]) == ("/rum.js?v=7&x", "sha384-ab+/=", "anonymous")


@pytest.mark.parametrize("keys", [{"DD_PA_ENABLED": False, "DD_PA_CLIENT_TOKEN": TOKEN}, {"DD_PA_STRICT": False}])
def test_nothing_is_rendered_where_it_is_off(
    make_app: MakeApp, analytics: ProductAnalytics, keys: dict[str, object]
) -> None:
    """Switched off, or without a token: the page comes all the same, and the app has no route more."""
    app = make_app(DD_PA_USER_ID=user_of, **keys)
    add_pages(app, analytics)
    answer = app.test_client().get("/page?user=7")

    assert answer.data == b"<!doctype html><head></head>"
    assert caching(answer) == (None, None)
    assert "dd_pa.static" not in app.view_functions


def test_missing_token_is_said_in_strict_mode(make_app: MakeApp, analytics: ProductAnalytics) -> None:
    """While the page is developed."""
    app = make_app()
    add_pages(app, analytics)

    with pytest.raises(SettingsError, match="DD_PA_CLIENT_TOKEN: is missing"):
        app.test_client().get("/page")


def test_api_key_in_place_of_the_token_is_an_error_at_start(make_app: MakeApp) -> None:
    """Before it could be published."""
    with pytest.raises(SettingsError, match="DD_PA_CLIENT_TOKEN: is not") as refused:
        make_app(DD_PA_CLIENT_TOKEN=KEY)

    assert KEY not in str(refused.value)


def test_two_apps_name_their_own_users(make_app: MakeApp, analytics: ProductAnalytics) -> None:
    """Nothing of one app is kept on the extension object."""
    one = make_app(DD_PA_CLIENT_TOKEN=TOKEN, DD_PA_USER_ID=lambda current: "one")
    two = make_app(DD_PA_CLIENT_TOKEN="pubtwo", DD_PA_USER_ID=lambda current: "two")
    for app in (one, two):
        add_pages(app, analytics)
    found = [setup_of(app.test_client().get("/page")) for app in (one, two)]

    assert [(setup["init"]["clientToken"], setup["user"]["id"]) for setup in found] == [
        (TOKEN, "one"),
        ("pubtwo", "two"),
    ]
    assert state_of(one) is not state_of(two)
