"""The profile's configuration of ipcontroller and ipengine, tried here before machines are made.

Each is tried by a process of its own (trial.py) that is nearly the real one, beside what is asked
of Azure. Where nothing is configured no process is started.
"""

import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError
from ..record.user_files import Preparation
from ..resource_manager.waiting import all_or_none, until
from ..ssh.profile_files import controller_files, engine_files, is_configuration, says_something
from .request import ProcessSpec

LIMIT_S = 10.0  # both take about a second
LOOK_S = 0.02
END_S = 2.0  # what a process has to end by itself, at its limit or without its standard input
# The working directory's modules come last: a random.py there is not taken for Python's own.
RUN_TRIAL = (
    "import sys; sys.path.sort(key=lambda entry: not entry); "
    f"from {__package__}.trial import main; main()"
)
GIVEN, OUTCOME = "given.json", "outcome.json"  # files of trial.py
LOOPBACK = "127.0.0.1"
NO_CONNECTION = {  # an engine reads it, but does not get as far as to use it
    "interface": f"tcp://{LOOPBACK}",
    "location": LOOPBACK,
    "registration": 1,
    "key": "none",
    "signature_scheme": "hmac-sha256",
    "pack": "json",
    "unpack": "json",
}


@dataclass(frozen=True)
class Trial:
    """What a profile says of ipcontroller or ipengine: files by their paths in it, and what the
    user has added to the command line and the environment."""

    kind: str
    profile_dir: Path
    files: Mapping[str, bytes]
    process: ProcessSpec

    @property
    def is_needed(self) -> bool:
        """Return whether there is anything that could be wrong."""
        return bool(self.process.args) or any(
            is_configuration(name) and says_something(text) for name, text in self.files.items()
        )

    @property
    def key(self) -> str:
        """What is the same as long as nothing is changed."""
        digest = hashlib.sha256(json.dumps([*self.process.args]).encode())
        for name, text in sorted(self.files.items()):
            digest.update(b"\0".join((name.encode(), text, b"")))
        return digest.hexdigest()

    def words(self, folder: Path, cluster_id: str) -> list[str]:
        """Return the command line that the machines have, for a profile in this folder."""
        profile = f"--profile-dir={folder / 'profile'}"
        if self.kind == "ipengine":
            return [profile, *self.process.args, f"--IPEngine.url_file={folder / 'engine.json'}"]
        cluster = [f"--cluster-id={cluster_id}"] if cluster_id else []
        address = [f"--ip={LOOPBACK}", f"--location={LOOPBACK}"]
        return [profile, *address, *cluster, *self.process.args]


def controller_trial(profile_dir: Path, process: ProcessSpec) -> Trial:
    """Return the trial of the controller, which reads engines' files too if they are for both."""
    files = {**engine_files(profile_dir), **controller_files(profile_dir)}
    files = {name: text for name, text in files.items() if not name.startswith("ipengine")}
    return Trial("ipcontroller", profile_dir, files, process)


def engine_trial(profile_dir: Path, process: ProcessSpec) -> Trial:
    """Return the trial of the engines."""
    return Trial("ipengine", profile_dir, engine_files(profile_dir), process)


async def prepare(
    log: Any, cluster_id: str, *, controller: Trial | None, engines: Trial | None
) -> Preparation:
    """Try what is configured, and return what was found of the engines.

    Raises ConfigurationError for what can't work, a file that engines are to run and that is not
    here included; warns of what may not.
    """
    trials = [each for each in (controller, engines) if each is not None]
    work = [asyncio.ensure_future(_outcome(log, each, cluster_id)) for each in trials]
    await all_or_none(*work)
    if engines is None:
        return Preparation()
    files = work[-1].result()
    missing = [name for name, path in files if not path]
    if missing:
        raise ConfigurationError(
            f"The engines are configured to run {', '.join(missing)}, which is not on this "
            "computer, and so can't be sent to them. Looked for in the working directory, in the "
            f"IPython directory and in {engines.profile_dir}."
        )
    return Preparation(engines.key, files)


async def _outcome(log: Any, trial: Trial, cluster_id: str) -> list[tuple[str, str]]:
    """Make a trial; returns what files were found that engines run."""
    if not trial.is_needed:
        return []
    folder = _new_folder(trial)
    try:
        process = _begin(trial, folder, cluster_id)
        try:
            await until(lambda: _has_ended(process), LIMIT_S + END_S, every_s=LOOK_S)
            found = _found(process, folder / OUTCOME)
        finally:
            _end(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for text in found["warned"]:
        log.warning("%s may not work on the machines as it is configured: %s", trial.kind, text)
    if found["refused"]:
        raise ConfigurationError(
            f"{trial.kind} can't work as it is configured: {'; '.join(found['refused'])}. What it "
            f"is configured with are files in {trial.profile_dir}, and {trial.kind[2:]}_args."
        )
    return [(name, path) for name, path in found["files"]]


def _new_folder(trial: Trial) -> Path:
    """Make a folder that only this user can read, without links in its path."""
    return Path(tempfile.mkdtemp(prefix=f"ipcluster-azure-{trial.kind}-")).resolve()


def _begin(trial: Trial, folder: Path, cluster_id: str) -> "subprocess.Popen[bytes]":
    (folder / "profile").mkdir()
    for name, text in trial.files.items():
        path = folder / "profile" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    (folder / "engine.json").write_text(json.dumps(NO_CONNECTION), encoding="utf-8")
    given = {
        "kind": trial.kind,
        "words": trial.words(folder, cluster_id),
        "profile": str(folder / "profile"),
        "profile_dir": str(trial.profile_dir),
        "variables": dict(trial.process.variables),
        "limit_s": LIMIT_S,
    }
    (folder / GIVEN).write_text(json.dumps(given), encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-c", RUN_TRIAL, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for this process, which then ends that one
    )


async def _has_ended(process: "subprocess.Popen[bytes]") -> bool:
    return process.poll() is not None


def _found(process: "subprocess.Popen[bytes]", outcome: Path) -> dict[str, Any]:
    """Return what a trial has found that has ended, or should have."""
    with suppress(OSError, ValueError):
        found: dict[str, Any] = json.loads(outcome.read_text(encoding="utf-8"))
        return found
    if process.poll() is None:
        late = f"it was not ready within {LIMIT_S:g} s, and so was not checked"
        return {"refused": [], "warned": [late], "files": []}
    ended = f"it ends right away, with status {process.returncode}"
    return {"refused": [ended], "warned": [], "files": []}


def _end(process: "subprocess.Popen[bytes]") -> None:
    """See to it that nothing of a trial is left, however far it got."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:  # what it runs lets nothing else of it run
        import psutil  # late, as hardly any start needs it

        with suppress(psutil.Error):
            own = psutil.Process(process.pid)
            own.suspend()
            for each in (*own.children(recursive=True), own):
                with suppress(psutil.Error):
                    each.kill()
        process.wait()
