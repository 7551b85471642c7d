"""A machine that runs, but whose engines nobody supervises any more -> engines that are supervised.

Their supervisor was killed, and nobody on the machine would replace an engine that dies, or tell of
it. The machine's own command for the start does what is right: nothing if the supervisor runs after
all, as after a cut of the network; else it ends the orphans and starts others.
"""

import asyncio
import logging

from ..errors import ClusterStopped
from ..formatting import counted
from ..progress import Progress
from ..record.abort import require_alive
from ..record.contents import READY, Machine
from ..record.file import RecordFile
from ..ssh.connection import Connection
from ..start.booting import BootingMachines
from ..start.engine_processes import prepare_kit, start_engine_processes
from ..start.request import StartContext, process_on_record

REACHED_S = 30.0

log = logging.getLogger(__name__)


async def restart_engines(
    file: RecordFile, set_id: str, machine: Machine, gate: Connection
) -> None:
    """Have a machine start its engines again unless they are supervised.

    Raises ClusterStopped if the set's engines are stopped, or what the machine says.
    """
    engine_set = require_alive(file, set_id).engine_sets[set_id]
    if engine_set.state != READY or machine not in engine_set.machines:
        raise ClusterStopped("The engines were stopped meanwhile.")
    context = StartContext(file, Progress(log))
    booting = BootingMachines([machine], asyncio.get_running_loop().time() + REACHED_S)
    kit = prepare_kit(context, set_id, process_on_record(engine_set), gate)
    started = await start_engine_processes(context, set_id, booting, gate, kit)
    for error in started.failures.values():
        raise error
    log.info("%s: %s supervised", machine.name, counted(machine.engines, "engine"))
