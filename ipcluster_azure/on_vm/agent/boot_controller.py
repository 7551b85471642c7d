"""The controller's machine of a job file: from its customData to a running ipcontroller."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from .processes import Json
from .work_dir import private, write_json

if TYPE_CHECKING:
    from .boot import Boot

START_TIMEOUT_S = 120
# of what engines' machines take from here; the packages come by themselves
FOR_ENGINES = ("vm_*.py", "ipcluster_azure_*/*.py", "profile/**/*")
# they say how this machine's own programs are told what only it must know
NOT_FOR_ENGINES = ("ipcontroller_config.py",)


def start_controller(boot: Boot) -> None:
    """Start ipcontroller and its guard, and let engines' machines join. Raises Failed, OSError."""
    work, settings = boot.work, boot.settings
    write_json(work.guard_settings, guard_settings(settings))
    bundle, sha256 = make_bundle(work.root)
    tell_key(work.profile / "ipcontroller_config.py", str(settings["key"]))
    if boot.is_built:
        environment = [boot.system_python, "vm_environment.py"]
        boot.run("finding the packages", [*environment, "find"], attempts=5)
        boot.run("building the Python environment", [*environment, "build"], attempts=5)
        packed = boot.run("packing it for the engines", [*environment, "pack"])["packed"]["sha256"]
    else:
        packed = ""
    address = str(settings["address"])
    depot = [boot.system_python, "vm_depot.py", "serve", f"--address={address}"]
    serving = boot.run("offering it to the engines", depot)["serving"]["url"]
    agent = [boot.python, "vm_agent.py", "controller", "--dir=.", f"--ip={address}"]
    agent += [f"--given={settings['kind']}", f"--timeout-s={START_TIMEOUT_S}"]
    agent += [f"--wrapper={json.dumps(settings['cmd'][:-1])}", "--", *settings["args"]]
    engine = boot.run("starting ipcontroller", agent)["ready"]["engine"]
    del engine["key"]  # who joins has it
    offer = {"engine": engine, "depot": serving, "environment": packed}
    write_json(work.offer_file, {**offer, "bundle": {"path": bundle.name, "sha256": sha256}})


def guard_settings(settings: Json) -> Json:
    """Return what guard_daemon.py is told; templates have no fractions, so limits are seconds."""
    names = ("port", "grace_s", "resource_manager", "audience", "ca_pem", "delete")
    limits = {
        "max_lifetime_h": settings["max_lifetime_s"] / 3600,
        "idle_timeout_min": settings["idle_timeout_s"] / 60,
    }
    return {**{name: settings[name] for name in names}, **limits}


def make_bundle(root: Path) -> tuple[Path, str]:
    """Pack what engines' machines run for the depot; returns the file, and its SHA-256."""
    depot = root / "depot"
    depot.mkdir(mode=0o700, exist_ok=True)
    incomplete = depot / "bundle.new"
    with tarfile.open(incomplete, "w:gz") as archive:
        for pattern in FOR_ENGINES:
            for path in sorted(root.glob(pattern)):
                if path.is_file() and path.name not in NOT_FOR_ENGINES:
                    archive.add(path, path.relative_to(root).as_posix())
    sha256 = hashlib.sha256(incomplete.read_bytes()).hexdigest()
    return incomplete.replace(depot / f"{sha256}.tar.gz"), sha256


def tell_key(config: Path, key: str) -> None:
    """Give ipcontroller the cluster's key, by the end of its configuration: on a command line all
    could read it."""
    with open(config, "a", encoding="utf-8", opener=private) as file:
        file.write("\n\n# by ipcluster-azure: engines and clients have it\n")
        file.write(f"get_config().Session.key = {key.encode()!r}\n")
