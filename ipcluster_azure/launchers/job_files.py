"""Job files of a cluster that nobody has started, as launchers and commands write them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import AzureLauncherError
from ..private_files import write_private
from ..progress import Progress
from ..record.file import RecordFile

if TYPE_CHECKING:
    from ..plan.resource_types import Json
    from .controller_launcher import AzureVMControllerLauncher
    from .engine_set_launcher import AzureVMEngineSetLauncher


def nested_file(folder: Path, cluster_id: str) -> Path:
    """Return where both job files are as one template."""
    return folder / f"azure_cluster-{cluster_id}.json"


def parameters_file(folder: Path, cluster_id: str) -> Path:
    """Return where the secrets of both job files are: the parameters that have no default."""
    return folder / f"azure_cluster-{cluster_id}.parameters.json"


async def write_job_files(
    controller: "AzureVMControllerLauncher",
    engines: "AzureVMEngineSetLauncher",
    n: int,
    folder: Path,
    log: Any,
    *,
    nested: bool = False,
) -> list[Path]:
    """Write the job files of a new cluster with `n` engines, and their secrets, to a folder.

    Returns the paths in the order in which they are deployed, the secrets' last: the controller's
    and the engines', or one with both if `nested`. Azure is asked for nothing. Raises
    AzureLauncherError.
    """
    from ..plan.nested import in_one
    from ..start.job_files import Wish, make_job_files
    from ..start.profile_trial import prepare

    settings, engine_settings = controller.settings(), engines.settings()
    trials = {"controller": controller.trial(), "engines": engines.trial()}
    wish = Wish(
        n=n,
        settings=settings,
        engine_settings=engine_settings,
        controller=controller.process(),
        engines=engines.process(),
        preparation=await prepare(log, controller.cluster_id, **trials),
    )
    file = RecordFile.of(controller.profile_dir, controller.cluster_id)
    made = await make_job_files(file, wish, Progress(log))
    contents = {
        folder / Path(controller.job_file).name: made.controller,
        folder / Path(engines.job_file).name: made.engines,
    }
    if nested:
        both = in_one(made.controller, made.engines, made.base)
        contents = {nested_file(folder, controller.cluster_id): both}
    contents[parameters_file(folder, controller.cluster_id)] = made.parameters
    for path, content in contents.items():
        _write(path, content, private=content is made.parameters)
    return list(contents)


def _write(path: Path, content: "Json", *, private: bool) -> None:
    text = json.dumps(content, indent=2)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if private:
            write_private(path, text)
        else:
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise AzureLauncherError(f"{path} can't be written: {error.strerror or error}.") from error
