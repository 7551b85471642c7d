"""What a launcher asks of deployment.py besides its settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..progress import Progress
from ..record.file import RecordFile


@dataclass(frozen=True)
class Order:
    """Whose cluster it is, where its files lie, and what its processes are given.

    `args` are further command-line arguments of the launcher's own processes, ipcontroller or
    ipengine; `variables` their environment variables.
    """

    file: RecordFile
    cluster_id: str
    profile: str
    job_file: Path
    progress: Progress
    args: Sequence[str]
    variables: Mapping[str, str]

    @property
    def parameter_file(self) -> Path:
        return parameter_file_of(self.job_file)

    @property
    def client_files(self) -> dict[str, Path]:
        """The connection files where ipyparallel's Client and launchers look for them."""
        name = f"ipcontroller-{self.cluster_id}" if self.cluster_id else "ipcontroller"
        folder = self.file.path.parent
        return {kind: folder / f"{name}-{kind}.json" for kind in ("client", "engine")}


def parameter_file_of(job_file: Path) -> Path:
    """Where the secure parameters of a job file are kept."""
    return job_file.with_suffix(".parameters.json")
