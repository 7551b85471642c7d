"""Makes bare machines ready: one upload and one command for each.

What goes over the line is what bundle.py makes; what comes back are events, one JSON object a line.
"""

import asyncio
import importlib.metadata
import json
import shlex
import sys
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import BootstrapFailed
from ..record.contents import Environment, Record
from .bundle import ENGINE_FILE, GUARD_FILE, ON_VM, Bundle
from .connection import Connection

WORK_DIR = ".ipcluster-azure"  # below the home directory, which is the same on all machines
BUILD_TIMEOUT_S = 600.0
START_TIMEOUT_S = 120.0
FEW_MACHINES = 8  # that the controller may as well send the environment to itself
# takes a bundle from the controller: the first thing that an engine's machine runs. As many of them
# may share a computer on the emulator, it imports little.
TAKE = """
import hashlib, socket, sys
host, port, path, sha256 = sys.argv[1:]
line = socket.create_connection((host, int(port)), 30)
line.sendall(f"GET {path} HTTP/1.0\\r\\n\\r\\n".encode())
reply = line.makefile("rb").read().partition(b"\\r\\n\\r\\n")[2]
if hashlib.sha256(reply).hexdigest() != sha256:
    sys.exit("the copy of our scripts is damaged")
sys.stdout.buffer.write(reply)
"""
BARE = "-IS"  # Python without what others installed, which starts faster
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


def _in_work_dir(*steps: str) -> str:
    """A shell command: the steps in WORK_DIR, in turn, up to the first that fails."""
    prepare = f"umask 077 && mkdir -p {WORK_DIR} && cd {WORK_DIR}"
    return " && ".join((prepare, *steps))


def _system_python(environment: Environment) -> str:
    """A Python that is there from the start."""
    return "python3" if environment.kind == "minimal" else environment.image_python


def _python(environment: Environment) -> str:
    return "env/bin/python" if environment.kind == "minimal" else environment.image_python


def agent_command(environment: Environment, *arguments: str) -> str:
    """A shell command that runs vm_agent.py in WORK_DIR; used after the bootstrap as well."""
    return f"cd {WORK_DIR} && {_agent(environment, *arguments)}"


def guard_command(environment: Environment, *arguments: str) -> str:
    """A shell command that runs vm_guard.py on the controller's machine."""
    return f"cd {WORK_DIR} && {_script('vm_guard.py', environment, *arguments)}"


def _agent(environment: Environment, *arguments: str) -> str:
    return _script("vm_agent.py", environment, *arguments)


def _script(name: str, environment: Environment, *arguments: str) -> str:
    return shlex.join([_python(environment), name, arguments[0], "--dir=.", *arguments[1:]])


async def start_controller(
    connection: Connection,
    record: Record,
    *,
    cluster_id: str,
    bundle: Bundle,
    data: bytes,
    args: Sequence[str],
) -> dict[str, Event]:
    """Build the environment, offer it, start ipcontroller.

    `data` is what controller_upload made of `bundle`. Returns the events "ready", "serving" and,
    if an environment was built, "packed". Raises BootstrapFailed with the output of what failed,
    or naming versions that don't match.
    """
    environment, address = record.environment, record.controller.address
    timeout = f"--timeout-s={START_TIMEOUT_S:.0f}"
    cluster = [f"--cluster-id={cluster_id}"] if cluster_id else []
    start = _script(
        "vm_agent.py", environment, "controller", f"--ip={address}", timeout, *cluster, "--", *args
    )
    steps = ["tar -xf -", f"tar -xzf {bundle.path}", ". ./variables.sh"]
    offer = shlex.join(
        [_system_python(environment), "vm_depot.py", "serve", f"--address={address}"]
    )
    if environment.kind == "minimal":
        build = ["build", f"--python={environment.python}", *environment.requirements]
        steps.append(shlex.join(["python3", "vm_environment.py", *build]))
        offer = f"python3 vm_environment.py pack && {offer}"
    # packing for the engines goes on while the controller starts
    steps.append(f"{{ {{ {offer}; }} & {start}; status=$?; wait $! && exit $status; }}")
    events = await connection.events(
        _in_work_dir(*steps), stdin=data, timeout_s=BUILD_TIMEOUT_S + START_TIMEOUT_S
    )
    check_versions(events["ready"], environment, connection.name)
    return events


async def add_bundle(connection: Connection, bundle: Bundle) -> None:
    """Put a bundle on offer at the controller's machine: files of the profile were changed."""
    keep = f"cat > {bundle.path}.new && mv {bundle.path}.new {bundle.path}"
    await connection.events(_in_work_dir(keep), stdin=bundle.data, timeout_s=START_TIMEOUT_S)


async def instruct_guard(connection: Connection, settings: Mapping[str, Any]) -> None:
    """Replace the guard's settings: what it may delete has become more or less."""
    keep = f"cat > {GUARD_FILE}.new && mv {GUARD_FILE}.new {GUARD_FILE}"
    data = json.dumps(settings).encode()
    await connection.events(_in_work_dir(keep), stdin=data, timeout_s=START_TIMEOUT_S)


async def see_booted(
    connection: Connection,
    record: Record,
    addresses: Sequence[str],
    *,
    timeout_s: float,
    on_answer: Callable[[str], None],
) -> None:
    """Have the controller's machine look which machines answer over SSH; tells of each.

    Returns when all have, or after `timeout_s`.
    """
    script = (ON_VM / "scripts" / "lookout.py").read_text(encoding="utf-8")
    call = f"\nmain({list(addresses)!r}, {record.plan.ssh_port}, {timeout_s!r})\n"
    await connection.events(
        shlex.join([_system_python(record.environment), BARE, "-"]),
        stdin=(script + call).encode(),
        timeout_s=timeout_s + START_TIMEOUT_S,
        on_event=lambda event: on_answer(event["address"]),
    )


async def start_engines(
    connection: Connection,
    record: Record,
    *,
    set_id: str,
    count: int,
    bundle: Bundle,
    data: bytes,
    args: Sequence[str],
    on_registered: Callable[[int], None],
) -> Event:
    """Copy the bundle and the environment, start `count` engines; returns the event "ready".

    Returns once all of them are registered. Raises BootstrapFailed if one is not.
    """

    def on_event(event: Event) -> None:
        if event["event"] in ("registered", "ready"):
            on_registered(int(event["registered"]))

    events = await connection.events(
        _in_work_dir(*_engine_steps(record, set_id, count, bundle, args)),
        stdin=data,
        timeout_s=BUILD_TIMEOUT_S + START_TIMEOUT_S,
        on_event=on_event,
    )
    check_versions(events["ready"], record.environment, connection.name)
    return events["ready"]


def _engine_steps(
    record: Record, set_id: str, count: int, bundle: Bundle, args: Sequence[str]
) -> list[str]:
    environment, depot = record.environment, record.controller.depot_url
    engine_set = record.engine_sets[set_id]
    place = urllib.parse.urlsplit(f"{depot}/{Path(bundle.path).name}")
    source = [str(place.hostname), str(place.port), place.path]
    take = [_system_python(environment), BARE, "-c", TAKE, *source, bundle.sha256]
    steps = ["tar -xzf -", ". ./variables.sh", f"{shlex.join(take)} > bundle.tar.gz"]
    steps.append("tar -xzf bundle.tar.gz")
    if environment.kind == "minimal":
        fetch = [f"--url={depot}", f"--sha256={record.controller.environment_sha256}"]
        if len(engine_set.machines) > FEW_MACHINES:
            fetch.append("--pass-on")
        steps.append(shlex.join(["python3", "vm_fetch.py", *fetch]))
    start = _agent(
        environment,
        "engines",
        f"--set={set_id}",
        f"--count={count}",
        f"--cores={engine_set.vcpus}",
        f"--engine-file={ENGINE_FILE}",
        f"--timeout-s={START_TIMEOUT_S:.0f}",
        "--",
        *args,
    )
    return [*steps, start]


def check_versions(ready: Event, environment: Environment, name: str) -> None:
    """Raise BootstrapFailed unless a machine runs the same Python and ipyparallel as we do."""
    python = ".".join(str(ready["python"]).split(".")[:2])
    if (python, ready["ipyparallel"]) != (environment.python, environment.ipyparallel):
        raise BootstrapFailed(
            f"{name} runs Python {python} with ipyparallel {ready['ipyparallel']}, this computer "
            f"Python {environment.python} with ipyparallel {environment.ipyparallel}: functions "
            "can't travel between them. Use python_environment = 'minimal', or a matching image."
        )


async def gather_limited(limit: int, tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run coroutine functions, `limit` at a time; exceptions are returned in their places."""
    gate = asyncio.Semaphore(limit)

    async def one(task: Callable[[], Any]) -> Any:
        async with gate:
            return await task()

    return await asyncio.gather(*(one(task) for task in tasks), return_exceptions=True)
