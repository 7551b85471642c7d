"""What a launcher hands to the steps of a start, besides its settings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..plan.resource_types import Json
from ..progress import Progress
from ..record.contents import EngineSet
from ..record.file import RecordFile
from ..settings.values import Settings


@dataclass(frozen=True)
class StartContext:
    """Which cluster a step works on, by the file of its record, and where it reports progress.

    `only_machines`: nothing is to be started on them.
    """

    file: RecordFile
    progress: Progress
    only_machines: bool = False


@dataclass(frozen=True)
class ProcessSpec:
    """What each process of one kind, ipcontroller or ipengine, is started with.

    `args` are further command-line arguments, `variables` its environment variables; `files`, which
    an engine runs, are pairs of the name that they have in the configuration and the path here.
    `cmd` is what is run: ipcontroller or ipengine, and before it what runs that, as `nice -n 5`.
    """

    args: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[tuple[str, str]] = ()
    cmd: Sequence[str] = ()


def process_on_record(engine_set: EngineSet) -> ProcessSpec:
    """Return what engines are started with that take the place of others."""
    return ProcessSpec(engine_set.args, engine_set.variables, engine_set.files, engine_set.cmd)


@dataclass(frozen=True)
class EngineSetSpec:
    """The engine set to be started: its id, its settings, and what its engines are started with."""

    set_id: str
    settings: Settings
    process: ProcessSpec


@dataclass(frozen=True)
class JobFile:
    """The launcher's job file, an ARM template that lies at `path`.

    `submit` is called with the template just before the first create call, and writes the file.
    What is asked of Azure is what the file says.
    """

    path: Path
    submit: Callable[[Json], object]
