"""What is run on bare machines, as a shell there would understand it."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, cast

from ipcluster_azure.endpoint import Endpoint
from ipcluster_azure.record.contents import Controller, EngineSet, Limits, Record
from ipcluster_azure.record.environment import Environment
from ipcluster_azure.ssh import bootstrap
from ipcluster_azure.ssh.bundle import Bundle
from ipcluster_azure.ssh.connection import Connection
from ipcluster_azure.ssh.packages import Packages

from ..plans import CLUSTER

MINIMAL = Environment("minimal", "unused", "3.11", "9.2.0")
BUNDLE = Bundle(b"scripts", "abc")
READY = {"event": "ready", "python": "3.11.7", "ipyparallel": "9.2.0", "registered": 2}
BUILD = ["python3", "vm_environment.py", "build"]


def record(environment: Environment = MINIMAL, machines: int = 1) -> Record:
    engine_set = EngineSet("/scale-set", 2, 1, 4, "key")
    engine_set.machines = [cast(Any, None)] * machines
    return Record(
        cluster_id="",
        created=datetime.now(timezone.utc).isoformat(),
        endpoint=Endpoint("https://management.azure.com", "https://management.azure.com", ""),
        plan=CLUSTER,
        environment=environment,
        limits=Limits(12.0, 60.0, False),
        controller=Controller(address="10.42.0.4", depot_url="http://10.42.0.4:81/token"),
        engine_sets={"s": engine_set},
        resources=[],
    )


@dataclass
class Recorder:
    """Takes the place of a connection: keeps the commands, and answers at once."""

    name: str = "vm"
    commands: list[list[list[str]]] = field(default_factory=list)

    async def events(self, command: str, **options: Any) -> dict[str, dict[str, Any]]:
        self.commands.append(_steps(command)[3:])  # those that make the work directory come first
        return {"ready": {**READY}, "environment": {"event": "environment"}}


def _steps(command: str) -> list[list[str]]:
    steps: list[list[str]] = [[]]
    for word in shlex.split(command):
        if word == "&&":
            steps.append([])
        else:
            steps[-1].append(word)
    return steps


async def nothing_to_carry(names: Sequence[str], why: str) -> Sequence[Path]:
    raise AssertionError(names)


async def _controller_commands(environment: Environment) -> list[list[list[str]]]:
    recorder = Recorder()
    packages = Packages(Path("pylock.toml"), [], nothing_to_carry)
    await bootstrap.start_controller(
        cast(Connection, recorder),
        record(environment),
        cluster_id="mine",
        bundle=BUNDLE,
        data=b"",
        packages=packages if environment.is_built else None,
        args=["--log-level=10"],
        on_progress=lambda doing: None,
    )
    return recorder.commands


async def test_packing_for_the_engines_goes_on_while_the_controller_starts() -> None:
    build, start_all = await _controller_commands(MINIMAL)
    assert build == [
        ["tar", "-xf", "-"],
        ["tar", "-xzf", "depot/abc.tar.gz"],
        [".", "./variables.sh"],
        BUILD,
    ]
    variables, at_once = start_all
    assert variables == [".", "./variables.sh"]
    assert at_once[:3] == ["python3", "-IS", "vm_concurrently.py"]
    offer, start = map(json.loads, at_once[3:])
    serve = ["python3", "vm_depot.py", "serve", "--address=10.42.0.4"]
    assert offer == [["python3", "vm_environment.py", "pack"], serve]
    options = ["--dir=.", "--ip=10.42.0.4", "--given=minimal", "--timeout-s=120"]
    options.append("--cluster-id=mine")
    agent = ["env/bin/python", "vm_agent.py", "controller", *options, "--", "--log-level=10"]
    assert start == [agent]


async def test_an_image_with_all_in_it_is_not_packed() -> None:
    image = replace(MINIMAL, kind="image", image_python="/opt/my python")
    (steps,) = await _controller_commands(image)
    (at_once,) = steps[3:]
    offer, start = map(json.loads, at_once[3:])
    assert offer == [["/opt/my python", "vm_depot.py", "serve", "--address=10.42.0.4"]]
    assert start[0][:2] == ["/opt/my python", "vm_agent.py"]


async def _engine_steps(machines: int, cmd: Sequence[str] = ("ipengine",)) -> list[list[str]]:
    recorder, heard = Recorder(), list[int]()
    await bootstrap.start_engines(
        cast(Connection, recorder),
        record(machines=machines),
        set_id="s",
        count=2,
        bundle=BUNDLE,
        data=b"",
        args=[],
        cmd=cmd,
        on_registered=heard.append,
        on_progress=lambda doing: None,
    )
    (((*lock, steps),),) = recorder.commands
    # what an earlier login has begun there comes to its end before; daemons don't have the lock
    assert lock == ["flock", "-o", ".", "sh", "-c"]
    return _steps(steps)


async def test_engines_machines_take_the_bundle_and_the_environment_from_the_controller() -> None:
    steps = await _engine_steps(machines=1)
    source = ["10.42.0.4", "81", "/token/abc.tar.gz", "abc"]
    assert steps[:4] == [
        ["tar", "-xzf", "-"],
        [".", "./variables.sh"],
        ["python3", "-IS", "vm_take.py", *source, "bundle.tar.gz"],
        ["tar", "-xzf", "bundle.tar.gz"],
    ]
    fetch = ["python3", "vm_fetch.py", "--url=http://10.42.0.4:81/token", "--sha256="]
    assert steps[4:6] == [fetch, ["python3", "vm_environment.py", "install"]]
    assert steps[6][:5] == ["env/bin/python", "vm_agent.py", "engines", "--dir=.", "--set=s"]


async def test_many_machines_pass_the_environment_on() -> None:
    steps = await _engine_steps(machines=bootstrap.FEW_MACHINES + 1)
    assert steps[4][-1] == "--pass-on"


async def test_a_command_that_runs_ipengine_is_passed_on() -> None:
    plain = (await _engine_steps(machines=1))[6]
    steps = await _engine_steps(machines=1, cmd=["nice", "-n", "5", "ipengine"])
    assert {*steps[6]} - {*plain} == {'--wrapper=["nice", "-n", "5"]'}
