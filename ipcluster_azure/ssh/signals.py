"""Signals to the processes on the machines of a running cluster."""

import asyncio

from ..errors import MachineFailed
from ..record.abort import require_alive
from ..record.contents import Machine
from ..record.file import RecordFile
from .commands import agent_command, shell
from .connect import connect, controller_target, engine_target

LOGIN_TIMEOUT_S = 30.0  # for a controller that was reached before
SIGNAL_TIMEOUT_S = 10.0


async def signal_engine_set(file: RecordFile, set_id: str, signum: int) -> None:
    """Send a signal to every engine of a set. Raises MachineFailed naming what can't be reached."""
    record = require_alive(file)
    machines = record.engine_sets[set_id].machines
    async with await connect(controller_target(file, record), timeout_s=LOGIN_TIMEOUT_S) as gate:
        command = agent_command(
            record.environment, "signal", f"--set={set_id}", f"--signum={signum}"
        )

        async def signal_one(machine: Machine) -> None:
            target = engine_target(file, record, set_id, machine)
            async with await connect(target, timeout_s=SIGNAL_TIMEOUT_S, through=gate) as engine:
                await engine.events(command, timeout_s=SIGNAL_TIMEOUT_S)

        outcomes = await asyncio.gather(*map(signal_one, machines), return_exceptions=True)
    if failures := [str(outcome) for outcome in outcomes if isinstance(outcome, BaseException)]:
        raise MachineFailed(f"Signal {signum} did not reach: {'; '.join(failures)}")


async def signal_controller(file: RecordFile, signum: int) -> None:
    """Send a signal to the controller's process."""
    record = require_alive(file)
    async with await connect(controller_target(file, record), timeout_s=LOGIN_TIMEOUT_S) as gate:
        command = shell(["kill", f"-{int(signum)}", str(record.controller.pid)])
        await gate.events(command, timeout_s=SIGNAL_TIMEOUT_S)
