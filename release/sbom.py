"""The bill of materials of the third-party code inside the wheel: what the emulator's page is bundled from (PEP 770).

`python release/sbom.py` writes it, `--check` fails if it is not what the lock file and the licences say.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LICENSES = ROOT / "core/dd_pa/emulator/static/vendor/LICENSES.txt"
LOCK = ROOT / "frontend/package-lock.json"
SBOM = ROOT / "release/dd-pa-bundled.cdx.json"
FONTS = {"inter": "@fontsource-variable/inter", "jetbrains-mono": "@fontsource-variable/jetbrains-mono"}


def bill() -> dict[str, Any]:
    """Return the bill of materials, as CycloneDX 1.6 has it."""
    bundled = re.findall(r"^(\S+) (\S+) \((\S+)\)\n={72}$", LICENSES.read_text(), flags=re.MULTILINE)
    locked = json.loads(LOCK.read_text())["packages"]
    for font in FONTS.values():
        known = locked[f"node_modules/{font}"]
        bundled.append((font, known["version"], "OFL-1.1"))
    components = [_component(*part, locked) for part in sorted(bundled)]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "library", "name": "dd-pa", "purl": "pkg:pypi/dd-pa"}},
        "components": components,
    }


def _component(name: str, version: str, license_id: str, locked: dict[str, Any]) -> dict[str, Any]:
    entry = locked[f"node_modules/{name}"]
    if entry["version"] != version:
        raise SystemExit(f"{name} is {version} in LICENSES.txt and {entry['version']} in the lock file: make vendor")
    return {
        "type": "library",
        "name": name,
        "version": version,
        "purl": f"pkg:npm/{name.replace('@', '%40')}@{version}",
        "licenses": [{"license": {"id": license_id}}],
    }


def main() -> None:
    """Write the file, or compare it."""
    wanted = json.dumps(bill(), indent=2) + "\n"
    if "--check" in sys.argv:
        if not SBOM.is_file() or SBOM.read_text() != wanted:
            raise SystemExit(f"{SBOM.relative_to(ROOT)} is stale: run python release/sbom.py")
        return
    SBOM.write_text(wanted)


if __name__ == "__main__":
    main()
