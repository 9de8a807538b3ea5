from __future__ import annotations

import re

import pytest

from dd_pa import SettingsError
from dd_pa.settings.addresses import INTAKE_HOSTS, WITHOUT_INTAKE, site_intake
from tests.core.wire import settings


@pytest.mark.parametrize(
    ("site", "intake"),
    [
        pytest.param("datadoghq.com", "https://browser-intake-datadoghq.com", id="US1"),
        pytest.param("us3.datadoghq.com", "https://browser-intake-us3-datadoghq.com", id="US3"),
        pytest.param("us5.datadoghq.com", "https://browser-intake-us5-datadoghq.com", id="US5"),
        pytest.param("ap1.datadoghq.com", "https://browser-intake-ap1-datadoghq.com", id="AP1"),
        pytest.param("ap2.datadoghq.com", "https://browser-intake-ap2-datadoghq.com", id="AP2"),
        pytest.param("datadoghq.eu", "https://browser-intake-datadoghq.eu", id="EU1"),
    ],
)
def test_each_site_has_its_intake(site: str, intake: str) -> None:
    """The dash form of the host, which is the one that resolves."""
    assert site_intake(site) == intake
    assert settings(site=site).intake_url == intake


def test_hosts_follow_the_rule_of_datadogs_sdks() -> None:
    """The site's labels joined by dashes, its last one behind a dot: a typing error in the table shows here."""
    for site, host in INTAKE_HOSTS.items():
        *labels, last = site.split(".")
        assert host == f"browser-intake-{'-'.join(labels)}.{last}"


@pytest.mark.parametrize("site", WITHOUT_INTAKE)
def test_sites_without_intake_say_so(site: str) -> None:
    """Government and UK sites are refused with the reason and with what to do, not with a list of other sites."""
    with pytest.raises(
        SettingsError, match=re.escape(f"SITE: Datadog takes no Product Analytics server events on {site}")
    ) as caught:
        settings(site=site)

    assert "set ENABLED to false" in str(caught.value)


@pytest.mark.parametrize(
    "site",
    [
        pytest.param("", id="empty"),
        pytest.param("evil.com/", id="path"),
        pytest.param("datadoghq.com.evil.com", id="suffix"),
        pytest.param("user@datadoghq.com", id="userinfo"),
        pytest.param("datadoghq.com\n", id="newline"),
        pytest.param("acme.datadoghq.com", id="sub-organisation"),
        pytest.param("https://datadoghq.com", id="address"),
        pytest.param("DATADOGHQ.COM", id="upper-case"),
        pytest.param("x" * 5000, id="long"),
    ],
)
def test_unknown_sites_name_the_known_ones(site: str) -> None:
    """Only a closed list of sites decides where the key goes."""
    with pytest.raises(
        SettingsError, match=r"^SITE: .* is not a Datadog site.*; use one of datadoghq.com, us3"
    ) as caught:
        settings(site=site)

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_an_explicit_intake_wins_over_the_site() -> None:
    """With INTAKE_URL set, the site is not looked at."""
    assert settings(site="nowhere", intake_url="http://127.0.0.1:8994").intake_url == "http://127.0.0.1:8994"
