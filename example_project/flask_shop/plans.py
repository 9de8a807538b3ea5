from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a team can subscribe to."""

    slug: str
    name: str
    summary: str
    cents: int
    """Price of a month."""

    seats: int
    features: tuple[str, ...]
    art: str
    """Name of a drawing in templates/art."""

    @property
    def price(self) -> Decimal:
        """The same in euros."""
        return Decimal(self.cents) / 100


PLANS = {
    plan.slug: plan
    for plan in (
        Plan(
            slug="bench",
            name="Bench",
            summary="To try a tool before you buy one.",
            cents=0,
            seats=1,
            features=("One seat", "Hand tools", "Weekday evenings"),
            art="bench",
        ),
        Plan(
            slug="studio",
            name="Studio",
            summary="For a team that builds every week.",
            cents=4900,
            seats=5,
            features=("Five seats", "Laser and 3D printers", "Open day and night", "Two lockers"),
            art="studio",
        ),
        Plan(
            slug="factory",
            name="Factory",
            summary="For products that ship.",
            cents=18900,
            seats=25,
            features=("Twenty-five seats", "CNC and metal shop", "A bay of your own", "A technician on call"),
            art="factory",
        ),
    )
}
