"""Machines that make their Python environment: folders with what real ones are sent."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import uv

from ipcluster_azure.ssh.bundle import bundle_of
from ipcluster_azure.ssh.machine_lock import LOCK
from tests.package_index import PackageIndex

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PROGRAMS = os.pathsep.join([str(Path(uv.find_uv_bin()).parent), "/usr/bin", "/bin"])
Json = dict[str, Any]


class Machine:
    """A machine's work directory; its image has uv, and keeps no packages."""

    def __init__(self, folder: Path) -> None:
        self.dir, self.env = folder, folder / "env"
        self.python = sys.executable
        self.wheels = folder / "wheels"
        (folder / "depot").mkdir(parents=True)
        data = bundle_of(folder / "no profile").data
        subprocess.run(["/bin/tar", "-xzf", "-"], input=data, cwd=folder, check=True)

    def lock(
        self, packages: Iterable[Json], python: str = PYTHON, imported: Sequence[str] = ()
    ) -> None:
        content = {"python": python, "packages": list(packages), "imported": [*imported]}
        (self.dir / LOCK).write_text(json.dumps(content))

    def start(self, *words: str, **variables: str) -> "subprocess.Popen[str]":
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("UV_", "PYTHON"))}
        return subprocess.Popen(
            [self.python, *words],
            cwd=self.dir,
            env={**kept, "PATH": PROGRAMS, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, **variables: str) -> tuple[int, list[Json]]:
        """Exit status and events of a script; nothing else may be said."""
        process = self.start(*words, **variables)
        output, errors = process.communicate(timeout=120)
        assert not errors, errors
        return process.returncode, [json.loads(line) for line in output.splitlines()]

    def ok(self, command: str, **variables: str) -> Json:
        status, events = self.run("vm_environment.py", command, **variables)
        assert status == 0, events
        return {event["event"]: event for event in events}

    def failed(self, command: str, **variables: str) -> str:
        """Why a command fails; the reason is one line."""
        status, events = self.run("vm_environment.py", command, **variables)
        assert status == 1, events
        reason: str = events[-1]["reason"]
        assert "\n" not in reason
        return reason

    def versions(self) -> Json:
        code = (
            "import importlib.metadata as m, json;"
            "print(json.dumps({d.metadata['Name']: d.version for d in m.distributions()}))"
        )
        python = self.env / "bin" / "python"
        printed = subprocess.run(
            [python, "-I", "-c", code], capture_output=True, check=True, text=True
        )
        found: Json = json.loads(printed.stdout)
        return found


def locked(index: PackageIndex, file: str, **changed: Any) -> Json:
    """A file of the index as the machines' lock has it."""
    name, version = file.split("-")[:2]
    content = index.files[file]
    return {
        "name": name,
        "version": version,
        "file": file,
        "sha256": hashlib.sha256(content).hexdigest(),
        "url": f"http://127.0.0.1:{index.port}/files/{file}",
        "size": len(content),
        **changed,
    }


def files(index: PackageIndex, *names: str) -> list[Json]:
    """Wheels of the index as the machines' lock has them; a name: "one-1.0"."""
    return [locked(index, f"{name}-py3-none-any.whl") for name in names]
