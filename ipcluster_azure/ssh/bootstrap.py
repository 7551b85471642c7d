"""Makes bare machines ready: one upload and one command for each.

What goes over the line is what bundle.py makes; what comes back are events, one JSON object a line.
"""

import json
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..record.contents import Record
from ..record.environment import Environment
from .bundle import ENGINE_FILE, GUARD_FILE, ON_VM, TAKE_SCRIPT, Bundle, offered
from .commands import (
    BARE,
    SET_VARIABLES,
    Command,
    agent,
    concurrently,
    one_at_a_time,
    replace_file,
    shell,
    system_python,
)
from .connection import Connection
from .environment import check_versions
from .packages import BUILD_TIMEOUT_S, SLOWEST, Packages, build_environment, telling

START_TIMEOUT_S = 120.0
OWN_FILES = "own_files.tar.gz"
FEW_MACHINES = 8  # that the controller may as well send the environment to itself
Event = dict[str, Any]


async def start_controller(
    connection: Connection,
    record: Record,
    *,
    cluster_id: str,
    bundle: Bundle,
    data: bytes,
    packages: Packages | None,
    args: Sequence[str],
    on_progress: Callable[[str], None],
) -> dict[str, Event]:
    """Build the environment of `packages`, offer it, start ipcontroller.

    `data` is what controller_upload made of `bundle` and the packages' lock; `packages` are None if
    the image has them. `on_progress` hears every few seconds what is being done, while that takes
    long. Returns the events "ready", with "warnings" of what may go wrong with the image's
    packages, "serving" and, if an environment was built, "packed". Raises BootstrapFailed with the
    output of what failed, or naming versions that don't match.
    """
    steps: list[Command] = [["tar", "-xf", "-"], ["tar", "-xzf", bundle.path], SET_VARIABLES]
    if packages is not None:
        await build_environment(connection, packages, steps, data, on_progress)
        steps, data = [SET_VARIABLES], b""
    start = _controller_start(record, cluster_id, args)
    # packing for the engines goes on while the controller starts
    offer = _offer(record.environment, record.controller.address)
    events = await connection.events(
        shell(*steps, concurrently(record.environment, offer, [start])),
        stdin=data,
        timeout_s=BUILD_TIMEOUT_S + len(data) / SLOWEST,
        on_event=telling(on_progress),
    )
    ready = events["ready"]
    ready["warnings"] = check_versions(ready, record.environment, connection.name)
    return events


def _controller_start(record: Record, cluster_id: str, args: Sequence[str]) -> Command:
    words = [f"--ip={record.controller.address}", f"--given={record.environment.kind}"]
    words += [f"--timeout-s={START_TIMEOUT_S:.0f}", *_wrapper(record.controller.cmd)]
    words += [f"--cluster-id={cluster_id}"] if cluster_id else []
    return agent(record.environment, "controller", *words, "--", *args)


def _offer(environment: Environment, address: str) -> list[Command]:
    """Return steps that offer the engines' machines the bundle, and the environment if one was
    built."""
    serve = _serve(environment, address)
    pack = ["python3", "vm_environment.py", "pack"]
    return [pack, serve] if environment.is_built else [serve]


def _serve(environment: Environment, address: str) -> Command:
    return [system_python(environment), "vm_depot.py", "serve", f"--address={address}"]


async def keep_offering(connection: Connection, record: Record) -> None:
    """Have the controller's machine offer the bundle and the environment again, if the server that
    does so has died since the controller was started."""
    await connection.events(
        shell(_serve(record.environment, record.controller.address)), timeout_s=START_TIMEOUT_S
    )


async def add_bundle(connection: Connection, bundle: Bundle) -> None:
    """Put a bundle on offer at the controller's machine: files of the profile were changed."""
    await connection.events(
        shell(*replace_file(bundle.path)), stdin=bundle.data, timeout_s=START_TIMEOUT_S
    )


async def instruct_guard(connection: Connection, settings: Mapping[str, Any]) -> None:
    """Replace the guard's settings: what it may delete has become more or less."""
    data = json.dumps(settings).encode()
    await connection.events(shell(*replace_file(GUARD_FILE)), stdin=data, timeout_s=START_TIMEOUT_S)


async def see_booted(
    connection: Connection,
    record: Record,
    addresses: Sequence[str],
    *,
    timeout_s: float,
    on_answer: Callable[[str], None],
) -> None:
    """Have the controller's machine look which machines answer over SSH; tells `on_answer` of each.

    Returns when all have, or after `timeout_s`.
    """
    look = [system_python(record.environment), BARE, "-"]  # the script comes as standard input
    look += [str(record.plan.ssh_port), str(timeout_s), *addresses]
    await connection.events(
        shell(look),
        stdin=(ON_VM / "scripts" / "lookout.py").read_bytes(),
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
    cmd: Sequence[str] = (),
    on_registered: Callable[[int], None],
    on_progress: Callable[[str], None],
) -> Event:
    """Copy the bundle and the environment, start `count` engines; returns the event "ready", with
    "warnings" of what may go wrong with the image's packages.

    `data` is what engine_upload made; `on_registered` hears how many engines are registered so far,
    `on_progress` every few seconds what is being done before.
    Returns once all of them are. Raises BootstrapFailed if one is not.
    """
    tell = telling(on_progress)

    def on_event(event: Event) -> None:
        tell(event)
        if event["event"] in ("registered", "ready"):
            on_registered(int(event["registered"]))

    events = await connection.events(
        shell(*_engine_steps(record, set_id, count, bundle, [*_wrapper(cmd), "--", *args])),
        stdin=data,
        timeout_s=BUILD_TIMEOUT_S + START_TIMEOUT_S,
        on_event=on_event,
    )
    ready = events["ready"]
    ready["warnings"] = check_versions(ready, record.environment, connection.name)
    return ready


def _engine_steps(
    record: Record, set_id: str, count: int, bundle: Bundle, rest: Sequence[str]
) -> list[Command]:
    environment, depot = record.environment, record.controller.depot_url
    engine_set = record.engine_sets[set_id]
    place = urllib.parse.urlsplit(f"{depot}/{Path(bundle.path).name}")
    source = [str(place.hostname), str(place.port), place.path, bundle.sha256]
    steps: list[Command] = [["tar", "-xzf", "-"], SET_VARIABLES]
    take = [system_python(environment), BARE, TAKE_SCRIPT, *source, "bundle.tar.gz"]
    unpack = [["tar", "-xzf", "bundle.tar.gz"]]
    if own := record.own_files.sha256:
        take += [f"{Path(place.path).parent}/{Path(offered(own)).name}", own, OWN_FILES]
        # -m: Python knows by a source's time whether what it has compiled is of today
        unpack.append(["tar", "-xzmf", OWN_FILES, "-C", ".."])
        unpack.append(["rm", OWN_FILES])
    steps += [take, *unpack]
    if environment.is_built:
        fetch = [f"--url={depot}", f"--sha256={record.controller.environment_sha256}"]
        if len(engine_set.machines) > FEW_MACHINES:
            fetch.append("--pass-on")
        steps.append(["python3", "vm_fetch.py", *fetch])
        steps.append(["python3", "vm_environment.py", "install"])
    words = [f"--set={set_id}", f"--count={count}", f"--cores={engine_set.vcpus}"]
    words += [f"--engine-file={ENGINE_FILE}", f"--timeout-s={START_TIMEOUT_S:.0f}", *rest]
    return [one_at_a_time(*steps, agent(environment, "engines", *words))]


def _wrapper(cmd: Sequence[str]) -> list[str]:
    """Return the agent's option for a command whose last word is ipcontroller or ipengine."""
    return [f"--wrapper={json.dumps([*cmd[:-1]])}"] if cmd[:-1] else []
