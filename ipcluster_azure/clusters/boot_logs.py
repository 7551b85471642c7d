"""What a machine has printed as it booted, by Azure and, where it answers, by cloud-init itself."""

import functools
import shlex
from collections.abc import Callable

from ..errors import AzureLauncherError, ConfigurationError
from ..formatting import some
from ..record.contents import Record
from ..record.file import RecordFile
from ..resource_ids import parse_id
from ..resource_manager.api import AzureApi, bridge
from ..resource_manager.boot_diagnostics import boot_log
from ..ssh.connect import connect, engine_target
from ..ssh.connection import Connection
from ..ssh.visits import problem
from .guard_news import log_in
from .load import CONTROLLER, machines_of, prefix_of

ANSWER_S = 20.0
MACHINE_S = 5.0
OUTPUT = "/var/log/cloud-init-output.log"
MAX_BYTES = 200_000
# its owner is root, and users of the group adm may read it; images differ
READ_OUTPUT = ["sh", "-c", f"tail -c {MAX_BYTES} {OUTPUT} || sudo -n tail -c {MAX_BYTES} {OUTPUT}"]

Tell = Callable[[str, str, str], None]


async def show_boot_logs(file: RecordFile, machine: str, tell: Tell) -> list[str]:
    """Call `tell` with the machine's name, a log's, and its text: the serial log, and cloud-init's
    output where the machine answers. `machine` is a name that Azure has, or `controller`.

    Returns why the serial log is missing. Raises AzureLauncherError if neither is to be had.
    """
    record = file.require()
    with AzureApi(record.endpoint, record.plan.subscription_id) as api:
        vm_id = await bridge(functools.partial(_vm_id, api, record, machine))
        name, problems = parse_id(vm_id).name, []
        try:
            tell(name, "serial log", await bridge(boot_log, api, vm_id, ANSWER_S))
        except AzureLauncherError as error:
            problems.append(error)
    try:
        tell(name, OUTPUT, await _cloud_init(file, record, name))
    except AzureLauncherError as error:  # the serial log has most of it, too
        if problems:
            raise problems[0] from error
    return [problem(name, error) for error in problems]


def _vm_id(api: AzureApi, record: Record, machine: str) -> str:
    """Return the id of a machine, whether or not it is on record yet."""
    controller = record.plan.names.controller
    if machine in (CONTROLLER, controller):
        return record.controller.vm_id
    found = {controller: record.controller.vm_id}
    for engine_set in record.engine_sets.values():
        found |= {item.name: item.id for item in api.machines(engine_set.scale_set_id)}
    if (whole := prefix_of(record) + machine) in found:  # as `top` shows it
        return found[whole]
    if machine not in found:
        raise ConfigurationError(
            f"Azure has no machine {machine!r} of the cluster; there are {some([*found])}."
        )
    return found[machine]


async def _cloud_init(file: RecordFile, record: Record, name: str) -> str:
    async with await log_in(file, record) as gate:
        if name == record.plan.names.controller:
            return await _read(gate)
        for set_id, machine in machines_of(record):
            if machine.name == name:
                target = engine_target(file, record, set_id, machine)
                async with await connect(target, timeout_s=MACHINE_S, through=gate) as ssh:
                    return await _read(ssh)
    raise ConfigurationError("it is not on record, so that it can't be asked for cloud-init's log.")


async def _read(ssh: Connection) -> str:
    pieces: list[bytes] = []
    await ssh.read(shlex.join(READ_OUTPUT), b"", pieces.append)
    return b"".join(pieces).decode(errors="replace")
