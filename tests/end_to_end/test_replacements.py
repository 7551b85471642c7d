"""A machine with engines dies, or Azure takes it back: another takes its place."""

from collections.abc import Callable

from ipcluster_azure.azure_api import AzureApi
from ipcluster_azure.record import Machine, Record
from ipcluster_azure.refill import machine_id

from .conftest import Profile
from .test_caretaker import record_of

KNOWN_S = 5.0 + 3.0  # until a client knows, and another second or three on a busy computer
BACK_S = 60.0
LOOKING = """
import sys, time, ipyparallel as ipp
rc = ipp.Client(profile={name!r})
rc.wait_for_engines({n}, timeout=30)
before = rc.ids
result = rc[:].apply_async(time.sleep, 15)
print("waiting", flush=True)
began = time.monotonic()
while rc.ids == before:
    time.sleep(0.05)
print("lost", time.monotonic() - began, rc.ids, flush=True)
rc.wait_for_engines({n}, timeout={back_s})
print("back", time.monotonic() - began, rc.ids, flush=True)
new = [i for i in rc.ids if i not in before]
print("works", rc[new].apply_sync(abs, -7), flush=True)
try:
    result.get(60)
except Exception as error:
    print("task", type(error).__name__, str(error).replace("\\n", " "), flush=True)
"""


def the_set(record: Record) -> tuple[str, list[Machine]]:
    ((set_id, engine_set),) = record.engine_sets.items()
    return set_id, engine_set.machines


def delete_machine(profile: Profile, machine: Machine) -> None:
    record = record_of(profile)
    set_id, _ = the_set(record)
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        api.delete(machine_id(record, set_id, machine.name))


def loses_one(profile: Profile, n: int, lose: Callable[[Machine], None]) -> None:
    """A machine is lost while a client waits: it is told, and has n engines again."""
    before = the_set(record_of(profile))[1]
    code = LOOKING.format(name=profile.name, n=n, back_s=BACK_S)
    process = profile.popen("python", "-W", "ignore", "-c", code)
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    lose(before[0])
    words = [process.stdout.readline().split(maxsplit=2) for _ in range(4)]
    output = str(words) + process.stdout.read()
    process.communicate(timeout=60)
    assert [word[0] for word in words] == ["lost", "back", "works", "task"], output
    assert "EngineError" in words[3][2], output
    assert float(words[0][1]) < KNOWN_S, output
    after = the_set(record_of(profile))[1]
    assert len(after) == len(before)
    assert before[0] not in after


def test_a_machine_with_engines_is_gone(profile: Profile) -> None:
    profile.configure(
        (profile.folder / "ipcluster_config.py").read_text()
        + "c.AzureVMLauncher.engines_per_vm = 1\n"
        + "c.AzureVMEngineSetLauncher.environment = {'MARK': 'kept'}\n"
    )
    profile.ipcluster("start", "-n", "2", "--daemonize")
    loses_one(profile, 2, lambda machine: delete_machine(profile, machine))
    code = (
        "import os, ipyparallel as ipp\n"
        f"view = ipp.Client(profile={profile.name!r})[:]\n"
        "print(*view.apply_sync(os.getenv, 'MARK'))"
    )
    assert profile.python(code) == "kept kept"
    profile.ipcluster("stop")
    profile.assert_nothing_left()
