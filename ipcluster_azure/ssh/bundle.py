"""What the machines are given: archives of our scripts, the profile's files and the variables.

What all machines share is a bundle, named by its hash. It crosses the user's own line once, with
the controller's upload; the engines' machines take it from the controller, and are given over SSH
only what is secret or differs, the cluster's key and the environment variables, and the script that
takes the bundle.
"""

import gzip
import hashlib
import io
import json
import shlex
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import on_vm
from .machine_lock import LOCK
from .profile_files import CONTROLLER_CONFIG, controller_files, engine_files

ON_VM = Path(on_vm.__file__).parent
# Names on the machines are a protocol: other versions, older and newer, run these files there.
SCRIPTS = {
    "vm_concurrently.py": "concurrently.py",
    "vm_fetch.py": "fetch.py",
}
TAKE_SCRIPT = "vm_take.py"  # takes the bundle, so that it comes before it
# what the entries run are packages, with relative imports there as here; their names are not ours,
# since engines may have the real one installed
PACKAGES = {
    "ipcluster_azure_vm": "agent",
    "ipcluster_azure_install": "install",
    "ipcluster_azure_depot": "depot",
}
ENTRIES = {
    "vm_agent.py": "ipcluster_azure_vm.commands",
    "vm_boot.py": "ipcluster_azure_vm.boot",
    "vm_depot.py": "ipcluster_azure_depot.commands",
    "vm_environment.py": "ipcluster_azure_install.commands",
    "vm_guard.py": "ipcluster_azure_vm.guard",
}
ENTRY = "import sys\nfrom {module} import main\nsys.exit(main(sys.argv[1:]))\n"
SILENT_ENGINE_S = 30.0  # until an engine that sends no heartbeat counts as dead
# of ours, not the machine's: the local profile, and a connection that only holds here
NOT_EXPORTED = frozenset({"IPP_PROFILE_DIR", "IPP_CONNECTION_INFO", "IPP_CLUSTER_ID"})
ENGINE_FILE = "engine.json"
GUARD_FILE = "guard_settings.json"
# below profile/: files that engines run, and which names the configuration has for them
SENT_FOLDER, SENT_FILES = "sent", "sent_files.json"


@dataclass(frozen=True)
class Bundle:
    """A compressed tar archive and its SHA-256."""

    data: bytes
    sha256: str

    @property
    def path(self) -> str:
        """The bundle's file on the controller's machine, below its work directory."""
        return offered(self.sha256)


def offered(sha256: str) -> str:
    """Return where an archive of this hash lies that the controller's machine offers the others."""
    return f"depot/{sha256}.tar.gz"


def bundle_of(profile_dir: Path, run: Sequence[tuple[str, str]] = ()) -> Bundle:
    """Pack our scripts with what engines read of the profile.

    `run` are files that engines run besides: the names that the configuration has for them, and
    their paths here. One that has gone since the configuration was tried is left out; the engines
    will say that they miss it.
    """
    data = _packed(bundle_files(profile_dir, run))
    return Bundle(data, hashlib.sha256(data).hexdigest())


def bundle_files(profile_dir: Path, run: Sequence[tuple[str, str]] = ()) -> dict[str, bytes]:
    """Return the files of a bundle, by name."""
    files = programs([*SCRIPTS, *ENTRIES])
    files |= {f"profile/{name}": text for name, text in engine_files(profile_dir).items()}
    for name, text in controller_files(profile_dir).items():
        if name.endswith(".json"):  # the other one is different on the controller's machine
            files[f"profile/{name}"] = text
    sent: list[tuple[str, str]] = []
    for number, (name, here) in enumerate(run):
        stored = f"{SENT_FOLDER}/{number}/{Path(here).name}"
        try:
            files[f"profile/{stored}"] = Path(here).read_bytes()
        except OSError:
            stored = ""
        sent.append((name, stored))
    if sent:
        files[f"profile/{SENT_FILES}"] = json.dumps(sent).encode()
    return files


def programs(names: Iterable[str]) -> dict[str, bytes]:
    """Return these files of SCRIPTS and ENTRIES, by name, with the packages that they run."""
    files = {}
    for name in names:
        if name in SCRIPTS:
            files[name] = (ON_VM / "scripts" / SCRIPTS[name]).read_bytes()
            continue
        files[name] = ENTRY.format(module=ENTRIES[name]).encode()
        package = ENTRIES[name].partition(".")[0]
        for path in sorted((ON_VM / PACKAGES[package]).glob("*.py")):
            files[f"{package}/{path.name}"] = path.read_bytes()
    return files


def heartbeat_ms(n_engines: int) -> int:
    """Return the period of the controller's heartbeat in milliseconds.

    An engine is registered only after its first beats, so short is fast; but the hub handles every
    beat of every engine, so many engines need a longer one. 3000 is ipyparallel's default.
    """
    return min(3000, max(300, 10 * n_engines))


def controller_config(profile_dir: Path, n_engines: int) -> bytes:
    """Return the controller's configuration: what the profile says, then the heartbeat unless it
    says that."""
    period = heartbeat_ms(n_engines)
    misses = round(SILENT_ENGINE_S * 1000 / period)
    # after the profile's own lines, so that theirs keep their numbers
    ours = (
        "\n\n# by ipcluster-azure, where the profile itself says nothing\n"
        f"for _name, _value in (('period', {period}), ('max_heartmonitor_misses', {misses})):\n"
        "    if _name not in get_config().HeartMonitor:\n"
        "        get_config().HeartMonitor[_name] = _value\n"
    )
    own = controller_files(profile_dir).get(f"{CONTROLLER_CONFIG}.py", b"")
    return own + ours.encode()


def controller_upload(
    bundle: Bundle,
    config: bytes,
    variables: Mapping[str, str],
    guard: Mapping[str, Any],
    lock: bytes = b"",
    own_files: bytes = b"",
) -> bytes:
    """Return the archive that the controller's machine is sent: the bundle to take from there, its
    own configuration and variables, the settings of its guard (guard_settings.py), and what its
    environment is made of (machine_lock.py), unless the image has that.

    `own_files` is the archive of the user's, to be taken from there too.
    """
    files = {bundle.path: bundle.data, f"profile/{CONTROLLER_CONFIG}.py": config}
    if lock:
        files[LOCK] = lock
    if own_files:
        files[offered(hashlib.sha256(own_files).hexdigest())] = own_files
    files[GUARD_FILE] = json.dumps(guard).encode()
    return tar_of({**files, **_variables(variables)})


def update_upload(files: Mapping[str, bytes]) -> bytes:
    """Return an archive of these files, and of what installs packages: machines that another
    version set up may have another."""
    return tar_of({**programs([*SCRIPTS, "vm_depot.py", "vm_environment.py"]), **files})


def engine_upload(engine_info: Mapping[str, Any], variables: Mapping[str, str]) -> bytes:
    """Return the archive that each engines' machine is sent over SSH: how to take the bundle, and
    what only SSH may carry, as `engine_info`, the engines' connection file, has the cluster's key.
    """
    files = {
        TAKE_SCRIPT: (ON_VM / "scripts" / "take.py").read_bytes(),
        ENGINE_FILE: json.dumps(engine_info).encode(),
    }
    return _packed({**files, **_variables(variables)})


def _variables(variables: Mapping[str, str]) -> dict[str, bytes]:
    return {"variables.sh": exports(variables).encode()}


def exports(variables: Mapping[str, str]) -> str:
    """Return the lines of shell that set the variables, but those of this computer alone."""
    return "".join(
        f"export {name}={shlex.quote(value)}\n"
        for name, value in variables.items()
        if name not in NOT_EXPORTED
    )


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """Return a tar archive of these files, which only their owner may read."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o600
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _packed(files: Mapping[str, bytes]) -> bytes:
    # without the time, the same files make the same bytes: a bundle is known by its hash
    return gzip.compress(tar_of(files), mtime=0)
