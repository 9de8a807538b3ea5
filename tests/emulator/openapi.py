"""Datadog's OpenAPI document held against the emulator, by schemathesis (`make openapi SPEC=openapi.yaml`).

Whatever its schemas allow, and what they do not, is answered without a failure of the emulator's own, in the documented
shape and with a documented status. The document is no part of this project: Datadog's clients bring it
(`.generator/schemas/v2/openapi.yaml` in the sources of `datadog-api-client`).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from dd_pa.emulator import Emulator
from tests.emulator.asking import KEYS

_OURS = "prodlytics|product-analytics"
_REFUSALS_LEFT_OUT = "/(users|accounts|{entity})/"
"""Paths whose documentation knows no status but success and 429, though a request can be wrong there as well."""


def arguments(spec: Path, url: str, examples: int, seed: int) -> list[list[str]]:
    """Return the command lines of schemathesis: all paths, then statuses where all of them are documented."""
    common = [
        *("run", str(spec), "--url", url, "--include-path-regex", _OURS, "--suppress-health-check", "all"),
        *(part for name, value in KEYS.items() for part in ("--header", f"{name}: {value}")),
        *("--max-examples", str(examples), "--seed", str(seed)),
    ]
    return [
        [*common, "--checks", "not_a_server_error,response_schema_conformance"],
        [*common, "--checks", "status_code_conformance", "--exclude-path-regex", _REFUSALS_LEFT_OUT],
    ]


def main() -> int:
    """Run it; 0 where nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spec", type=Path, help="Datadog's OpenAPI document (v2), or the part of it about this product")
    parser.add_argument("--examples", type=int, default=20, help="random requests for each operation")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    emulator = Emulator()
    emulator.add_sample()
    with emulator.running() as url:
        lines = arguments(given.spec, url, given.examples, given.seed)
        ended = [subprocess.run([sys.executable, "-m", "schemathesis.cli", *line], check=False) for line in lines]
    emulator.close()
    return max(run.returncode for run in ended)


if __name__ == "__main__":
    sys.exit(main())
