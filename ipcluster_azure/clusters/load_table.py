"""The words of `ipcluster-azure top`, and those that `status` shares with it. Pure."""

from collections.abc import Iterator

from ..formatting import counted, duration, table
from ..record.spending import in_words
from .load import ClusterLoad, EngineLoad, MachineLoad, Sums

HEADINGS = ["MACHINE", "ENGINE", "CPU %", "MEMORY", "BEGUN", "RUN", "DONE", "DONE/S"]
UNKNOWN = "-"
COMPUTING_S = 3.0  # the machines tell of their tasks each second
MIB, GIB = 1 << 20, 1 << 30
OF_ANOTHER_VERSION = (
    "The cluster was started by another version of ipcluster-azure, whose machines do not tell how "
    "busy they are."
)


def as_text(load: ClusterLoad) -> str:
    """Return the table of machines and engines, with the sums above it."""
    name = f"Cluster {load.cluster_id!r}" if load.cluster_id else "Cluster"
    name += f", {load.prefix.rstrip('-')}"
    limits = times(load.idle_s, load.idle_left_s, load.time_left_s)
    costs = [f"  cost: {in_words(load.cost)}"] if load.cost else []
    if not load.machines:
        return "\n".join([f"{name}: {limits}", *costs, OF_ANOTHER_VERSION])
    rows = [row for machine in load.machines for row in _rows(machine, load.prefix)]
    return "\n".join(
        [f"{name}: {busy(load.sums)}", f"  {limits}", *costs, "", table(HEADINGS, rows)]
    )


def busy(sums: Sums) -> str:
    """Return the sums in words: 3 of 8 engines compute, 5 tasks begun, ..."""
    return (
        f"{sums.busy} of {counted(sums.engines, 'engine')} compute; {counted(sums.begun, 'task')} "
        f"begun, {sums.running} running, {sums.done} done, {sums.done_per_s:.2f} a second; "
        f"{sums.cpu_percent:.0f} % CPU, {memory(sums.memory_bytes)}"
    )


def times(idle_s: float | None, idle_left_s: float | None, time_left_s: float | None) -> str:
    """Return since when nothing is computed, if that is known, and how much time is left."""
    parts = []
    if idle_s is not None and idle_s < COMPUTING_S:
        parts.append("not idle")
    elif idle_s is not None:
        left = "" if idle_left_s is None else f", {duration(idle_left_s)} more until it is deleted"
        parts.append(f"idle for {duration(idle_s)}{left}")
    left = "no" if time_left_s is None else f"{duration(time_left_s)} until the"
    parts.append(f"{left} end of its lifetime")
    return "; ".join(parts)


def load_rows(sums: Sums | None, unheard: str) -> list[str]:
    """Return what `status` shows of the load; `unheard` says why it is not known."""
    if sums is not None:
        return [f"  load: {busy(sums)}"]
    return [f"  load: not known. {' '.join(unheard.split())}"] if unheard else []


def time_rows(
    idle_s: float | None, idle_left_s: float | None, time_left_s: float | None
) -> list[str]:
    """Return what `status` shows of the times, as far as they are known."""
    if idle_s is None and time_left_s is None:
        return []
    return [f"  time: {times(idle_s, idle_left_s, time_left_s)}"]


def memory(number_bytes: int | None) -> str:
    if number_bytes is None:
        return UNKNOWN
    if number_bytes < GIB:
        return f"{number_bytes / MIB:.0f} MiB"
    return f"{number_bytes / GIB:.1f} GiB"


def _used(machine: MachineLoad) -> str:
    """Return a machine's memory in use and its total, whose unit both share where it is GiB."""
    used, total = memory(machine.memory_bytes), memory(machine.memory_total_bytes)
    if total == UNKNOWN:
        return used
    return f"{used.removesuffix(total[-4:])} of {total}"


def _rows(machine: MachineLoad, prefix: str) -> Iterator[list[str]]:
    engines = machine.engines
    cpus = f", {machine.cpus} CPUs" if machine.cpus else ""
    tasks = [""] * 4
    if machine.engine_set:
        rates = sum(engine.done_per_s or 0.0 for engine in engines)
        numbers = [(engine.begun, engine.running, engine.done) for engine in engines]
        tasks = [*(str(sum(column)) for column in zip(*numbers, strict=True)), f"{rates:.2f}"]
        tasks = tasks if engines else [UNKNOWN] * 4
    state = "silent" if machine.silent else "all" if machine.engine_set else ""
    yield [
        machine.name.removeprefix(prefix),
        state,
        _number(machine.cpu_percent) + cpus,
        _used(machine),
        *tasks,
    ]
    yield from (_engine_row(engine) for engine in engines)


def _engine_row(engine: EngineLoad) -> list[str]:
    counts = (engine.begun, engine.running, engine.done)
    rate = UNKNOWN if engine.done_per_s is None else f"{engine.done_per_s:.2f}"
    shown = [_number(engine.cpu_percent), memory(engine.memory_bytes)]
    return ["", str(engine.id), *shown, *map(str, counts), rate]


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.0f}"
