"""Makes bare machines ready: one upload and one command for each.

What goes over the line is a small archive (this package's two scripts, the profile's configuration,
for engines the connection file); what comes back are events, one JSON object a line.
"""

import asyncio
import importlib.metadata
import io
import json
import shlex
import sys
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .connect import Connection
from .errors import BootstrapFailed
from .record import Environment, Record

WORK_DIR = ".ipcluster-azure"  # below the home directory, which is the same on all machines
BUILD_TIMEOUT_S = 600.0
START_TIMEOUT_S = 120.0
SILENT_ENGINE_S = 30.0  # until an engine that sends no heartbeat counts as dead
# of ours, not the machine's: the local profile, and a connection that only holds here
NOT_EXPORTED = frozenset({"IPP_PROFILE_DIR", "IPP_CONNECTION_INFO", "IPP_CLUSTER_ID"})
Event = dict[str, Any]


def environment_of(kind: str, image_python: str, requirements: Sequence[str]) -> Environment:
    """The environment that matches this process: functions travel as code objects."""
    return Environment(
        kind=kind,
        image_python=image_python,
        requirements=[f"ipyparallel=={_version('ipyparallel')}", _numpy(), *requirements],
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        ipyparallel=_version("ipyparallel"),
    )


def _version(package: str) -> str:
    return importlib.metadata.version(package)


def _numpy() -> str:
    """This environment's own version where there is one: arrays travel as pickles."""
    try:
        return f"numpy=={_version('numpy')}"
    except importlib.metadata.PackageNotFoundError:
        return "numpy"


def heartbeat_ms(n_engines: int) -> int:
    """Period of the controller's heartbeat.

    An engine is registered only after its first beats, so short is fast; but the hub handles every
    beat of every engine, so many engines need a longer one. 3000 is ipyparallel's default.
    """
    return min(3000, max(300, 10 * n_engines))


def profile_files(profile_dir: Path, n_engines: int) -> dict[str, bytes]:
    """The profile's configuration and startup files for the machines, by path in the archive."""
    period = heartbeat_ms(n_engines)
    misses = round(SILENT_ENGINE_S * 1000 / period)
    ours = (
        "# by ipcluster-azure; what the profile itself says follows, and wins\n"
        f"c = get_config()\nc.HeartMonitor.period = {period}\n"
        f"c.HeartMonitor.max_heartmonitor_misses = {misses}\n\n"
    ).encode()
    files = {"profile/ipcontroller_config.py": ours}
    for name in ("ipcontroller_config.py", "ipengine_config.py"):
        path = profile_dir / name
        if path.exists():
            files[f"profile/{name}"] = files.get(f"profile/{name}", b"") + path.read_bytes()
    for path in sorted((profile_dir / "startup").glob("*")):
        if path.suffix in (".py", ".ipy"):
            files[f"profile/startup/{path.name}"] = path.read_bytes()
    return files


def payload(files: Mapping[str, bytes], variables: Mapping[str, str]) -> bytes:
    """A compressed tar archive of `files`, our scripts and the environment variables."""
    here = Path(__file__).parent
    exports = (
        f"export {name}={shlex.quote(value)}\n"
        for name, value in variables.items()
        if name not in NOT_EXPORTED
    )
    content = {
        "vm_agent.py": (here / "vm_agent.py").read_bytes(),
        "vm_environment.py": (here / "vm_environment.py").read_bytes(),
        "variables.sh": "".join(exports).encode(),
        **files,
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in content.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o600
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _unpack_and(*steps: str) -> str:
    """A shell command: unpack standard input into WORK_DIR, then run the steps there in turn.

    The steps' input is empty: an SSH session's end must not be waited for.
    """
    prepare = f"umask 077 && mkdir -p {WORK_DIR} && cd {WORK_DIR} && tar -xzf - && . ./variables.sh"
    return " && ".join((prepare, *steps))


def _python(environment: Environment) -> str:
    return "env/bin/python" if environment.kind == "minimal" else environment.image_python


def agent_command(environment: Environment, *arguments: str) -> str:
    """A shell command that runs vm_agent.py in WORK_DIR; used after the bootstrap as well."""
    return f"cd {WORK_DIR} && {_agent(environment, *arguments)}"


def _agent(environment: Environment, *arguments: str) -> str:
    return shlex.join(
        [_python(environment), "vm_agent.py", arguments[0], "--dir=.", *arguments[1:]]
    )


async def start_controller(
    connection: Connection, record: Record, *, cluster_id: str, data: bytes, args: Sequence[str]
) -> dict[str, Event]:
    """Build the environment and start ipcontroller; returns the events "ready" and "serving".

    Raises BootstrapFailed with the output of what failed, or naming versions that don't match.
    """
    environment, address = record.environment, record.controller.address
    timeout = f"--timeout-s={START_TIMEOUT_S:.0f}"
    cluster = [f"--cluster-id={cluster_id}"] if cluster_id else []
    start = _agent(environment, "controller", f"--ip={address}", timeout, *cluster, "--", *args)
    if environment.kind == "minimal":
        build = ["build", f"--python={environment.python}", *environment.requirements]
        serve = shlex.join(["python3", "vm_environment.py", "serve", f"--address={address}"])
        # packing for the engines goes on while the controller starts
        both = f"{{ {serve} & {start}; status=$?; wait $! && exit $status; }}"
        steps = [shlex.join(["python3", "vm_environment.py", *build]), both]
    else:
        steps = [start]
    events = await connection.events(
        _unpack_and(*steps), stdin=data, timeout_s=BUILD_TIMEOUT_S + START_TIMEOUT_S
    )
    check_versions(events["ready"], environment, connection.target.name)
    return events


async def start_engines(
    connection: Connection,
    record: Record,
    *,
    set_id: str,
    count: int,
    data: bytes,
    args: Sequence[str],
    on_registered: Callable[[int], None],
) -> Event:
    """Copy the environment and start `count` engines; returns the event "ready".

    Returns once all of them are registered. Raises BootstrapFailed if one is not.
    """
    environment, controller = record.environment, record.controller
    steps = []
    if environment.kind == "minimal":
        source = [
            f"--url={controller.environment_url}",
            f"--sha256={controller.environment_sha256}",
        ]
        steps.append(shlex.join(["python3", "vm_environment.py", "fetch", *source]))
    steps.append(
        _agent(
            environment,
            "engines",
            f"--set={set_id}",
            f"--count={count}",
            f"--cores={record.engine_sets[set_id].vcpus}",
            "--engine-file=engine.json",
            f"--timeout-s={START_TIMEOUT_S:.0f}",
            "--",
            *args,
        )
    )

    def on_event(event: Event) -> None:
        if event["event"] in ("registered", "ready"):
            on_registered(int(event["registered"]))

    events = await connection.events(
        _unpack_and(*steps),
        stdin=data,
        timeout_s=BUILD_TIMEOUT_S + START_TIMEOUT_S,
        on_event=on_event,
    )
    check_versions(events["ready"], environment, connection.target.name)
    return events["ready"]


def check_versions(ready: Event, environment: Environment, name: str) -> None:
    """Raise BootstrapFailed unless a machine runs the same Python and ipyparallel as we do."""
    python = ".".join(str(ready["python"]).split(".")[:2])
    if (python, ready["ipyparallel"]) != (environment.python, environment.ipyparallel):
        raise BootstrapFailed(
            f"{name} runs Python {python} with ipyparallel {ready['ipyparallel']}, this computer "
            f"Python {environment.python} with ipyparallel {environment.ipyparallel}: functions "
            "can't travel between them. Use python_environment = 'minimal', or a matching image."
        )


def engine_payload(engine_info: Event, profile_dir: Path, variables: Mapping[str, str]) -> bytes:
    """What an engine's machine needs; the connection file holds the cluster's key."""
    files = profile_files(profile_dir, 1)
    files["engine.json"] = json.dumps(engine_info).encode()
    return payload(files, variables)


async def gather_limited(limit: int, tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run coroutine functions, `limit` at a time; exceptions are returned in their places."""
    gate = asyncio.Semaphore(limit)

    async def one(task: Callable[[], Any]) -> Any:
        async with gate:
            return await task()

    return await asyncio.gather(*(one(task) for task in tasks), return_exceptions=True)
