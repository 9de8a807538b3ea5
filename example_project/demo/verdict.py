"""Compare what should have arrived with what did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from example_project.demo.arrived import Refusal
from example_project.demo.expected import Happening


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How the two differ; order does not matter, as servers with several workers deliver side by side."""

    missing: list[Happening]
    unexpected: list[Happening]
    refused: list[Refusal]

    @property
    def is_good(self) -> bool:
        return not (self.missing or self.unexpected or self.refused)


def judge(wanted: Sequence[Happening], arrived: Sequence[Happening], refused: Sequence[Refusal]) -> Verdict:
    missing, unexpected = list(wanted), []
    for event in arrived:
        if event in missing:
            missing.remove(event)
        else:
            unexpected.append(event)
    return Verdict(missing=missing, unexpected=unexpected, refused=list(refused))


def differences(wanted: Happening, arrived: Happening) -> list[str]:
    """Name each part in which two events of one name differ."""
    pairs = ((item.name, getattr(wanted, item.name), getattr(arrived, item.name)) for item in fields(Happening))
    return [f"{name}: expected {left!r}, got {right!r}" for name, left, right in pairs if left != right]
