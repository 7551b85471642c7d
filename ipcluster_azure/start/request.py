"""What a launcher hands to the steps of a start, besides its settings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..plan.arm_template import Json
from ..progress import Progress
from ..record.file import RecordFile
from ..settings.values import Settings


@dataclass(frozen=True)
class StartContext:
    """Which cluster a step works on, by the file of its record, and where it reports progress."""

    file: RecordFile
    progress: Progress

    @property
    def client_files(self) -> dict[str, Path]:
        """The connection files, "client" and "engine", where ipyparallel looks for them."""
        cluster_id = self.file.cluster_id
        name = f"ipcontroller-{cluster_id}" if cluster_id else "ipcontroller"
        folder = self.file.path.parent
        return {kind: folder / f"{name}-{kind}.json" for kind in ("client", "engine")}


@dataclass(frozen=True)
class ProcessSpec:
    """What each process of one kind, ipcontroller or ipengine, is started with.

    `args` are further command-line arguments, `variables` its environment variables.
    """

    args: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


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

    @property
    def parameter_file(self) -> Path:
        return parameter_file_of(self.path)


def parameter_file_of(job_file: Path) -> Path:
    """Return where the secure parameters of a job file are kept."""
    return job_file.with_suffix(".parameters.json")
