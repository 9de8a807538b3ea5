"""What the suite runs: seeds with all their own kinds of trouble, and more of the kinds that found most."""

from __future__ import annotations

from typing import NamedTuple


class Campaign(NamedTuple):
    """Seeds to run one after the other."""

    seeds: str
    """From, and to but without."""

    kinds: str = ""
    """Kinds of trouble for all of them; empty: each seed has its own."""

    @property
    def options(self) -> list[str]:
        """Return what `python -m tests.simulation` is to be told."""
        return ["--seeds", self.seeds, *(["--kinds", self.kinds] if self.kinds else [])]


CAMPAIGNS = (
    Campaign("0:40"),
    Campaign("0:8", "kill,ends,stall,lost,flaky"),
    Campaign("0:4", "bad_500,storm"),
    Campaign("0:4", "bad_500,bad_panic,bad_wait"),
    Campaign("0:6", "big,outage,tight"),
    Campaign("0:6", "alien,big,outage,tight"),
    Campaign("0:6", "bad_400,storm,tight"),
    Campaign("0:6", "bad_400,letters_fail"),
    Campaign("34:38", "bad_400,descriptors,storm,tight"),
    Campaign("0:6", "clock"),
    Campaign("0:6", "clock,kill,outage"),
    Campaign("0:8", "reboot,outage"),
    Campaign("0:6", "kill_within,ends,lost"),
    Campaign("0:6", "rot,outage,kill"),
    Campaign("0:4", "kill,outage"),
)
