"""The deployments in `deploy/` are what this version understands."""

from __future__ import annotations

import importlib
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from dd_pa.cli.deliver import command
from dd_pa.settings.settings import Settings
from dd_pa.store.trusted_directory import open_place

yaml: Any = importlib.import_module("yaml")

DEPLOY = Path(__file__).parents[1] / "deploy"
UNIT = DEPLOY / "systemd" / "dd-pa-deliver.service"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
DATADOG = {"DD_API_KEY", "DD_SITE", "DD_ENV", "DD_SERVICE", "DD_VERSION"}


def entrypoint() -> list[str]:
    """Return what the image runs, after `dd-pa deliver`."""
    (line,) = re.findall(r"^ENTRYPOINT (\[.*\])$", (DEPLOY / "Dockerfile").read_text(), re.M)
    program, name, *options = yaml.safe_load(line)
    assert (program, name) == ("dd-pa", "deliver")
    return [str(option) for option in options]


def containers(manifest: Path) -> Iterator[dict[str, Any]]:
    """Yield the containers of a manifest's pods."""
    for document in yaml.safe_load_all(manifest.read_text()):
        pod = document["spec"].get("template", {}).get("spec", {})
        yield from (*pod.get("initContainers", []), *pod.get("containers", []))


def options_from_environment() -> set[str]:
    """Return the variables that give options of the command."""
    return {str(option.envvar) for option in command.params if option.envvar}


def understood(options: Sequence[str]) -> dict[str, Any]:
    """Return what the command makes of its options; raises for one that it does not know."""
    return dict(command.make_context("deliver", list(options)).params)


def test_the_unit_is_one_and_its_command_is_understood(tmp_path: Path) -> None:
    text = UNIT.read_text()
    (line,) = re.findall(r"^ExecStart=(.*)$", text, re.M)
    program, name, *options = shlex.split(line)
    assert name == "deliver"
    assert understood(options)["port"] == 9400
    systemd = shutil.which("systemd-analyze")
    if systemd is None:
        pytest.skip("needs systemd-analyze")
    here = tmp_path / UNIT.name
    here.write_text(text.replace(program, "/bin/true"))
    done = subprocess.run([systemd, "verify", "--man=no", str(here)], capture_output=True, check=False, text=True)
    assert (done.returncode, UNIT.name in done.stderr) == (0, False), done.stderr


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest.stem)
def test_what_a_manifest_runs_is_understood(manifest: Path) -> None:
    for container in containers(manifest):
        names = {variable["name"] for variable in container.get("env", [])}
        known = {f"DD_PA_{item.name.upper()}" for item in fields(Settings)} | DATADOG | options_from_environment()
        assert names <= known
        if container["image"].startswith("dd-pa-deliver") and "command" not in container:
            params = understood([*entrypoint(), *container.get("args", [])])
            assert [port["containerPort"] for port in container["ports"]] == [params["port"]]
            assert params["host"] == "0.0.0.0"


def volumes_that_all_can_write(manifest: Path) -> set[str]:
    """Return the names of the volumes that live and end with a pod."""
    pods = [
        document["spec"].get("template", {}).get("spec", {}) for document in yaml.safe_load_all(manifest.read_text())
    ]
    return {volume["name"] for pod in pods for volume in pod.get("volumes", []) if "emptyDir" in volume}


def test_a_spool_on_a_volume_of_the_pod_is_trusted(tmp_path: Path) -> None:
    """What Kubernetes makes is 0777; the containers run in the order in which they stand."""
    tried = []
    for manifest in MANIFESTS:
        volumes = volumes_that_all_can_write(manifest)
        for container in containers(manifest):
            for mount in container.get("volumeMounts", []):
                here = tmp_path / manifest.stem / mount["name"]
                if mount["name"] in volumes and not here.exists():
                    here.mkdir(parents=True)
                    here.chmod(0o777)
                if container.get("command", [])[:1] == ["chmod"]:
                    assert container["command"][2] == mount["mountPath"]
                    here.chmod(int(container["command"][1], 8))
                for variable in container.get("env", []):
                    if variable["name"] == "DD_PA_SPOOL_DIR" and mount["name"] in volumes:
                        spool = here / Path(variable["value"]).relative_to(mount["mountPath"])
                        open_place(str(spool)).close()
                        tried.append((manifest.stem, container["name"]))
    assert tried == [("sidecar", "dd-pa-deliver"), ("sidecar", "web")]


def test_the_image_has_the_extras_that_there_are() -> None:
    (extras,) = re.findall(r"'\.\[(.*)\]'", (DEPLOY / "Dockerfile").read_text())
    text = (DEPLOY.parent / "pyproject.toml").read_text()
    assert all(f"\n{extra} = [" in text for extra in extras.split(","))
