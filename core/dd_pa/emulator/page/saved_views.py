"""Views that were given a name: addresses of the page, kept for everybody who opens it."""

from __future__ import annotations

import re
from pathlib import Path

from dd_pa.emulator.page.assets import VIEWS
from dd_pa.emulator.warehouse.named_file import NamedFile, NotKeptError

MAX_VIEWS = 200
_MAX_ADDRESS = 4_000
_FILE = "views.json"
_PARAMETER = re.compile(r"\\\{[^}]*\\\}")
_PATHS = "|".join(_PARAMETER.sub("[^/?#]+", re.escape(view)) for view in VIEWS)
_PAGES = re.compile(rf"(?:{_PATHS})(?:\?[^#]*)?")


def saved_views(folder: Path | None) -> NamedFile[str]:
    """Return the addresses by name, in a file where there is a data folder."""
    return NamedFile(None if folder is None else folder / _FILE, MAX_VIEWS, _address)


def _address(_: str, address: object) -> str:
    """Return an address of the page: never another host's, nor one of a route that is no page."""
    if not isinstance(address, str) or len(address) > _MAX_ADDRESS or not address.isprintable():
        raise NotKeptError("address must be an address of this page")
    if not _PAGES.fullmatch(address):
        raise NotKeptError("address must be one of this page, such as /funnel?step=event:order.placed")
    return address
