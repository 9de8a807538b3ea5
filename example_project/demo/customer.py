from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

import httpx

from example_project.demo.page import Form, Page
from example_project.demo.processes import DemoError
from example_project.demo.rum import BrowserSession


class Customer:
    """Somebody with a browser: opens pages, fills in the forms it finds there, keeps cookies.

    As in a real browser, the first page of a visit is asked for without the SDK's cookie: only its script makes one.
    """

    def __init__(self, name: str, shop: str, browser: BrowserSession | None) -> None:
        self.name = name
        self.browser = browser
        self.usr: str | None = None
        self.account: str | None = None
        self._client = httpx.Client(base_url=shop, follow_redirects=True, timeout=60, trust_env=False)
        self._address = httpx.URL(shop)
        self.page = Page("")

    @property
    def session(self) -> str | None:
        """The session that the server may claim, if any."""
        return self.browser.id if self.browser and self.browser.linked else None

    @property
    def email(self) -> str:
        return f"{self.name.lower()}@example.com"

    def open(self, path: str) -> None:
        """Open a page. Raises DemoError unless it comes."""
        self._show(self._client.get(path), 200)

    def submit(self, action: str, fields: Mapping[str, str] | None = None, *, answer: int = 200) -> None:
        """Fill in the form of the current page that leads to `action`, and send it as a browser does.

        Raises DemoError if there is no such form, or for another answer (after redirects).
        """
        form = self._form(action)
        origin = f"{self._address.scheme}://{self._address.netloc.decode()}"
        headers = {"Origin": origin, "Referer": str(self._address)}
        target = urljoin(str(self._address), form.action)
        self._show(self._client.post(target, data={**form.fields, **(fields or {})}, headers=headers), answer)

    def fetch(self, action: str, fields: Mapping[str, str], *, claims: Mapping[str, str]) -> None:
        """Send a form of the current page as the page's script does: JSON, with the SDK's baggage."""
        token = self._form(action).fields["csrf_token"]
        headers = {"X-CSRF-Token": token, **(self.browser.baggage(**claims) if self.browser else {})}
        response = self._client.post(action, json=dict(fields), headers=headers)
        if response.status_code != 201:
            raise DemoError(f"{self.name}: POST {action} answered {response.status_code}")

    def _form(self, action: str) -> Form:
        for form in self.page.forms:
            if form.action == action or (not form.action and action == self._address.path):
                return form
        raise DemoError(f"{self.name}: {self._address} has no form that leads to {action}")

    def _show(self, response: httpx.Response, wanted: int) -> None:
        if response.status_code != wanted:
            method, path = response.request.method, response.url.path
            raise DemoError(f"{self.name}: {method} {path} answered {response.status_code}, not {wanted}")
        self._address, self.page = response.url, Page(response.text)
        self._run_sdk()

    def _run_sdk(self) -> None:
        """Do what the page's script does: keep the session's cookie, and learn the ids that it would be told."""
        if self.browser and self.browser.cookie not in self._client.cookies:
            self._client.cookies.set(self.browser.cookie, self.browser.value)
        self.usr = self.page.rum.get("user", {}).get("id") or self.usr
        self.account = self.page.rum.get("account", {}).get("id") or self.account

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close()
