"""What of other libraries is sent, and as what: records (dataclasses, Structs, pydantic's models), forms and queries of
frameworks, translated texts. None of those libraries is imported for it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import msgspec

_LAZY_TEXTS = frozenset(
    ("django.utils.functional.Promise", "flask_babel.speaklater.LazyString", "speaklater.LazyString")
)


def members(values: Mapping[Any, Any], most: int) -> Iterable[tuple[Any, Any]]:
    """Return the members of a mapping. One that has several values of a key gives all of them, in a list.

    Such are the queries and forms of Django and Werkzeug (`lists`), and of Starlette and httpx (`multi_items`); their
    `items` would keep one value of each key, and in silence. Of `multi_items`, at most `most` are looked at.
    """
    kind = type(values)
    if kind is dict:
        return values.items()
    if callable(getattr(kind, "lists", None)):
        return ((key, found[0] if len(found) == 1 else found) for key, found in values.lists())  # type: ignore[attr-defined]
    if callable(getattr(kind, "multi_items", None)):
        return _gathered(values.multi_items(), most)  # type: ignore[attr-defined]
    return values.items()


def _gathered(pairs: Iterable[tuple[Any, Any]], most: int) -> Iterable[tuple[Any, Any]]:
    lists: dict[Any, list[Any]] = {}
    for key, value in islice(pairs, most):
        lists.setdefault(key, []).append(value)
    return ((key, found[0] if len(found) == 1 else found) for key, found in lists.items())


def is_record(value: object) -> bool:
    """Tell an object of a dataclass, a Struct or a pydantic model."""
    kind = type(value)
    return dataclasses.is_dataclass(kind) or isinstance(value, msgspec.Struct) or _is_model(kind)


def _is_model(kind: type) -> bool:
    """Tell a model of pydantic's, without an import of it."""
    return hasattr(kind, "model_fields") and hasattr(kind, "model_dump")


def record(value: Any) -> Any:
    """Return the members of an object of a dataclass, a Struct or a pydantic model, by their names on the wire.

    A model that is one value (pydantic's `RootModel`) is returned as that value.
    """
    if isinstance(value, msgspec.Struct):
        config, tag = value.__struct_config__, {}
        if config.tag_field is not None:
            tag = {config.tag_field: config.tag}
        pairs = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        found = {shown: getattr(value, name) for name, shown in pairs}
        return {**tag, **{name: item for name, item in found.items() if item is not msgspec.UNSET}}
    if _is_model(type(value)):
        return value.model_dump()
    return {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}


def is_lazy_text(value: object) -> bool:
    """Tell a translated text that is not evaluated yet: Django's `gettext_lazy`, Flask-Babel's `lazy_gettext`."""
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(value).__mro__}
    return not names.isdisjoint(_LAZY_TEXTS)
