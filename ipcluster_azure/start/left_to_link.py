"""The machines of an engine set that a start does not wait for are left to the cluster's link.

It goes on with them by link/joining.py once the set is READY on record.
"""

import time

from ..record.abort import edited_set
from ..record.joining import Joining
from .booting import BootingMachines
from .engine_processes import Started, tell_of_faults
from .request import EngineSetSpec, StartContext


def leave_to_link(
    context: StartContext, spec: EngineSetSpec, started: Started, booting: BootingMachines
) -> int:
    """Write on record which machines are still to come, those that have failed so far included.

    Returns how many engines are registered.
    """
    rest = started.pending | set(started.failures)
    with edited_set(context.file, spec.set_id) as engine_set:
        engine_set.joining = Joining(
            machines=[one.name for one in booting.machines if one.name in rest],
            until=time.time() + booting.left_s(),
            min_engines=spec.settings.min_engines,
        )
    registered = sum(started.registered.values())
    context.progress.say(
        f"{registered} of {booting.engine_count} engines are registered; the others join as their "
        "machines boot"
    )
    tell_of_faults(started, spec.set_id, context.progress.log)
    return registered
