"""Views that were given a name: addresses of the page, kept for everybody who opens it."""

from __future__ import annotations

import contextlib
import re
import threading
from pathlib import Path

from dd_pa.emulator.page.parameters import ParameterError
from dd_pa.emulator.warehouse.named_file import NamedFile

MAX_VIEWS = 200
_MAX_NAME = 100
_MAX_ADDRESS = 4_000
_FILE = "views.json"
_PAGES = re.compile(r"/(?:sessions(?:/[^/?#]+)?|explore|funnel|retention|paths)?(?:\?[^#]*)?")


class SavedViews:
    """Keeps names and addresses, in a file where there is a data folder. Safe to use from any thread."""

    def __init__(self, folder: Path | None) -> None:
        self._file = NamedFile(None if folder is None else folder / _FILE)
        self._lock = threading.Lock()
        self._views = self._read()

    def _read(self) -> dict[str, str]:
        views: dict[str, str] = {}
        for name, address in self._file.read().items():
            with contextlib.suppress(ParameterError):
                views[_name(name)] = _address(address)
        return views

    def all(self) -> list[dict[str, str]]:
        """Return the views by name."""
        with self._lock:
            return [{"name": name, "address": self._views[name]} for name in sorted(self._views)]

    def save(self, name: object, address: object) -> None:
        """Keep a view, in place of one of the same name. Raises ParameterError."""
        key, value = _name(name), _address(address)
        with self._lock:
            if key not in self._views and len(self._views) >= MAX_VIEWS:
                raise ParameterError(f"{MAX_VIEWS} views are saved already; delete one")
            self._replace({**self._views, key: value})

    def delete(self, name: str) -> None:
        """Forget a view; nothing happens if there is none."""
        with self._lock:
            if name in self._views:
                self._replace({key: value for key, value in self._views.items() if key != name})

    def _replace(self, views: dict[str, str]) -> None:
        # The file first, so that what cannot be written is not pretended either.
        self._file.replace(views)
        self._views = views


def _name(name: object) -> str:
    if not isinstance(name, str) or not name.strip() or len(name) > _MAX_NAME or not name.isprintable():
        raise ParameterError(f"name must have 1 to {_MAX_NAME} printable characters")
    return name.strip()


def _address(address: object) -> str:
    """Return an address of the page: never another host's, nor one of a route that is no page."""
    if not isinstance(address, str) or len(address) > _MAX_ADDRESS or not address.isprintable():
        raise ParameterError("address must be an address of this page")
    if not _PAGES.fullmatch(address):
        raise ParameterError("address must be one of this page, such as /funnel?step=event:order.placed")
    return address
