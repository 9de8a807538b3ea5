"""Who visits the shop of the sample: people with habits, some of whom belong to a company."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from dd_pa.emulator.sample import shop

_FIRST = (
    "ada",
    "ben",
    "chloe",
    "david",
    "emil",
    "fatima",
    "greta",
    "hugo",
    "ines",
    "jonas",
    "kim",
    "lena",
    "marta",
    "nora",
)
_LAST = (
    "berg",
    "costa",
    "dubois",
    "evans",
    "fischer",
    "garcia",
    "haas",
    "ivanov",
    "jansen",
    "keller",
    "lind",
    "moreau",
)
_COMPANIES = ("acme", "northwind", "globex", "initech", "umbra", "hooli", "stark", "wayne", "vandelay", "soylent")
_LOYAL = 0.16
_CUSTOMERS = 0.3


@dataclass(frozen=True, slots=True)
class Account:
    """A company."""

    id: str
    name: str
    plan: str


@dataclass(slots=True)
class Person:
    """Somebody, known or not."""

    anonymous_id: str
    number: int
    account: Account | None
    browser: shop.Browser
    country: tuple[str, str]
    channel: str
    experiment: str
    is_loyal: bool
    signed_up: bool

    @property
    def id(self) -> str:
        """Return the user's id."""
        return f"user-{self.number}"

    @property
    def name(self) -> str:
        """Return the user's name."""
        first, last = _FIRST[self.number % len(_FIRST)], _LAST[self.number // len(_FIRST) % len(_LAST)]
        return f"{first.capitalize()} {last.capitalize()}"

    @property
    def email(self) -> str:
        """Return the user's e-mail."""
        return f"{self.name.lower().replace(' ', '.')}.{self.number}@example.com"


def accounts(rng: Random, count: int) -> list[Account]:
    """Make companies; later ones are smaller."""
    names = [
        f"{_COMPANIES[n % len(_COMPANIES)]}{'' if n < len(_COMPANIES) else f'-{n // len(_COMPANIES)}'}"
        for n in range(count)
    ]
    return [Account(name, name.capitalize(), rng.choices(shop.PLANS, shop.PLAN_SHARES)[0]) for name in names]


def arrival(rng: Random, number: int, companies: list[Account]) -> Person:
    """Make somebody who comes for the first time."""
    weights = [1 / (n + 3) for n in range(len(companies))]
    account = rng.choices(companies, weights)[0] if rng.random() < 0.25 else None
    return Person(
        anonymous_id=new_id(rng),
        number=number,
        account=account,
        browser=rng.choices(shop.BROWSERS, shop.BROWSER_SHARES)[0],
        country=rng.choices(shop.COUNTRIES, shop.COUNTRY_SHARES)[0],
        channel=rng.choices(shop.CHANNELS, shop.CHANNEL_SHARES)[0],
        experiment=rng.choice(("classic", "one_page")),
        is_loyal=rng.random() < (_LOYAL if account is None else 2 * _LOYAL),
        signed_up=rng.random() < (_CUSTOMERS if account is None else 0.85),
    )


def returns(rng: Random, person: Person, day: int, last: int) -> Iterator[int]:
    """Yield the days on which somebody who came on a day comes again: most soon or never, some all the time."""
    for later in range(day + 1, last + 1):
        likely = 0.16 * math.exp(-(later - day) / 5) + (0.16 if person.is_loyal else 0.004)
        if rng.random() < likely:
            yield later


def new_id(rng: Random) -> str:
    """Return a random UUID."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
