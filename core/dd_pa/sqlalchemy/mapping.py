"""What a mapper has of the attributes that a declaration names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Column
from sqlalchemy.orm import ColumnProperty, Mapper, MapperProperty, RelationshipProperty

from dd_pa.model_events import Declaration


def check_names(declaration: Declaration, mapper: Mapper[Any], label: str) -> None:
    """Raise `ValueError` for an attribute that the class does not have, or whose name for the columns is reserved."""
    for name in (*declaration.followed, *declaration.columns):
        if not mapper.has_property(name):
            raise _refusal(mapper, name, "is not mapped")
    declaration.check_label(label)
    declaration.check_rows(label, lambda name: hasattr(mapper.class_, name))


def check_kinds(declaration: Declaration, mapper: Mapper[Any], label: str) -> None:
    """Raise `ValueError` for an attribute whose changes cannot be followed. Relationships must be configured."""
    check_names(declaration, mapper, label)
    for name in declaration.followed:
        found = mapper.get_property(name)
        if not is_column(found) and not is_many_to_many(found):
            raise _refusal(
                mapper, name, "is neither a column nor a many-to-many relationship; name the column behind it"
            )
    for name in declaration.columns:
        if not is_column(mapper.get_property(name)):
            raise _refusal(mapper, name, "is no column; give a callable")


def is_column(found: MapperProperty[Any]) -> bool:
    return isinstance(found, ColumnProperty) and isinstance(found.columns[0], Column)


def is_many_to_many(found: MapperProperty[Any]) -> bool:
    return isinstance(found, RelationshipProperty) and found.secondary is not None


def written_aside(mapper: Mapper[Any], names: Iterable[str]) -> list[str]:
    """Return the columns that a relationship with `post_update=True` writes too: with no event of the mapper's."""
    relationships = (item for each in mapper.registry.mappers for item in each.relationships if item.post_update)
    written = {column for item in relationships for column in _foreign_keys(item)}
    return [name for name in names if not written.isdisjoint(_columns(mapper.get_property(name)))]


def _foreign_keys(relationship: RelationshipProperty[Any]) -> Iterator[Any]:
    if relationship.secondary is None:
        yield from (foreign for _, foreign in relationship.synchronize_pairs)


def _columns(found: MapperProperty[Any]) -> Sequence[Any]:
    return found.columns if isinstance(found, ColumnProperty) else ()


def other_sides(mapper: Mapper[Any], names: Iterable[str]) -> Iterator[tuple[str, type, str]]:
    """Yield the many-to-many relationships that the other class has too: name, that class, its name there.

    When an object of that class is deleted, the session deletes the rows in between, as it does of this side's own.
    """
    for name in names:
        found = mapper.get_property(name)
        if isinstance(found, RelationshipProperty) and is_many_to_many(found):
            yield from ((name, found.mapper.class_, other.key) for other in found._reverse_property)


def _refusal(mapper: Mapper[Any], name: str, problem: str) -> ValueError:
    return ValueError(f"track_model: {mapper.class_.__name__}.{name} {problem}")
