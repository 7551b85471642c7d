"""cloud-init itself checks each customData that we make, where this computer has cloud-init."""

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ipcluster_azure.plan.arm_template import cloud_config
from ipcluster_azure.ssh.keys import make_host_key

from .test_self_start import custom_data_of

CLOUD_INIT = shutil.which("cloud-init")
SCHEMAS = Path("/usr/lib/python3/dist-packages/cloudinit/config/schemas")
pytestmark = pytest.mark.skipif(
    CLOUD_INIT is None or not SCHEMAS.is_dir(),
    reason="cloud-init isn't installed: apt install cloud-init",
)


def launchers() -> str:
    key = make_host_key()
    return cloud_config(key.private, key.public)


EVERY = {
    "by a launcher": launchers,
    "job file of the controller": lambda: custom_data_of("controller"),
    "job file of the engines": lambda: custom_data_of("engines"),
}


def known_names() -> set[str]:
    """Return the names that cloud-init's modules have: a schema of 22.4 passes any other, too."""
    (newest, *_) = sorted(SCHEMAS.glob("schema-cloud-config-v*.json"), reverse=True)
    definitions = json.loads(newest.read_text())["$defs"]
    modules = (module for name, module in definitions.items() if name.startswith("cc_"))
    return {name for module in modules for name in module.get("properties", {})}


def complaint(text: str, folder: Path) -> str:
    """Return what cloud-init has against a cloud-config; empty if it has nothing."""
    path = folder / "user-data"
    path.write_text(text)
    command = [str(CLOUD_INIT), "schema", "--config-file", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if done.returncode or re.search(r"(?i)error|warning|deprecat", said):
        return said
    unknown = set(json.loads(text.partition("\n")[2])) - known_names()
    return f"unknown: {unknown}" if unknown else ""


@pytest.mark.parametrize("made", EVERY)
def test_cloud_init_accepts_it(made: str, tmp_path: Path) -> None:
    assert complaint(base64.b64decode(EVERY[made]()).decode(), tmp_path) == ""


@pytest.mark.parametrize(
    "wrong", ['{"ssh_genkeytypes": []}', '{"runcmd": 7}', '{"ssh_key": {"ed25519_private": "k"}}']
)
def test_it_would_notice_a_mistake(wrong: str, tmp_path: Path) -> None:
    assert complaint(f"#cloud-config\n{wrong}\n", tmp_path) != ""
