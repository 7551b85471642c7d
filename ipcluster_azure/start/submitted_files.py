"""The job files that a start has submitted are completed: deployed by hand, they start a cluster.

A launcher gives its machines the host key as customData, and all else over SSH. So what it submits
is what the job files say under its own parameters, and what they say without these costs half a
second of CPU: that is packed while the machines boot, and written once the engines are there.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..errors import AzureLauncherError, ClusterStopped
from ..formatting import some
from ..naming import is_ours
from ..own_files.manifest import Manifest
from ..plan.resource_types import Json
from ..private_files import erase, write_private
from ..record.abort import edited
from ..record.contents import KEPT, READY, Controller, EngineSet, Record
from ..record.file import RecordFile
from ..resource_manager.api import bridge
from .request import StartContext
from .self_starting import SET_ID, Packed, complete, pack, require_carried


class Packing:
    """Programs and keys, packed from now on, beside all else.

    Nothing is packed where engines merely begin anew, and for a cluster that others have deployed:
    there are no job files of this start.
    """

    def __init__(self, context: StartContext, record: Record, set_id: str) -> None:
        self._context, self._set_id = context, set_id
        engine_set = record.engine_sets[set_id]
        begins_anew = record.controller.state == READY and engine_set.state == KEPT
        self._packed: asyncio.Future[Packed | str] | None = None
        if record.controller.job_file and not begins_anew:
            packing = bridge(_packed_or_why, context.file, record, engine_set.n)
            self._packed = asyncio.ensure_future(packing)

    async def complete(self, engines_file: Path) -> None:
        """Write the job files anew, once packing is done, and one file of parameters for both.

        `engines_file` is the engine set's. What can't be carried leaves them as they are, and is
        said in them. Raises ClusterStopped if the cluster is being deleted.
        """
        if self._packed is None:
            return
        packed = await self._packed
        try:
            await bridge(_rewrite, self._context.file, self._set_id, engines_file, packed)
        except ClusterStopped:
            raise
        except Exception as error:  # the cluster runs, and does without
            what = error if isinstance(error, (AzureLauncherError, OSError)) else repr(error)
            self._context.progress.log.warning("The job files make machines only: %s", what)

    def give_up(self) -> None:
        if self._packed is not None:
            self._packed.cancel()


def _packed_or_why(file: RecordFile, record: Record, n: int) -> Packed | str:
    """Return why it can't be done instead of raising it: the start goes on."""
    try:
        require_carried(_own_files(file), priced=bool(record.cost.max_cost))
        return pack(file, record, n)
    except (AzureLauncherError, OSError) as error:
        return str(error)
    except Exception as error:
        return repr(error)


def _own_files(file: RecordFile) -> str:
    try:
        manifest = Manifest.from_json(file.own_files.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    return some(sorted(manifest.files), 10) if manifest.files else ""


def _rewrite(file: RecordFile, set_id: str, engines_file: Path, packed: Packed | str) -> None:
    record = file.require()
    engine_set = record.engine_sets[set_id]
    paths = Path(record.controller.job_file), engines_file
    controller, engines = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
    if not engine_set.scale_set_id.endswith(f"/{engines['resources'][0]['name']}"):
        return  # it is another set's by now
    if isinstance(packed, str):
        _write(paths, (_saying(controller, packed), _saying(engines, packed)))
        return
    try:
        made = complete(file, _to_come(record, set_id), packed, controller, engines)
    except AzureLauncherError as error:
        _write(paths, (_saying(controller, str(error)), _saying(engines, str(error))))
        return
    with edited(file):  # else a stop that comes now would erase the secrets before they are written
        _write(paths, (made.controller, made.engines))
        write_private(file.controller_parameters, json.dumps(made.parameters, indent=2))
        erase(file.engine_set_parameters)


def _write(paths: tuple[Path, Path], templates: tuple[Json, Json]) -> None:
    for path, template in zip(paths, templates, strict=True):
        path.write_text(json.dumps(template, indent=2), encoding="utf-8")


def _saying(template: Json, why: str) -> Json:
    return {**template, "metadata": {"description": f"Makes machines, and no cluster. {why}"}}


def _to_come(record: Record, set_id: str) -> Record:
    """Return what will be on record of a cluster that is deployed by these job files."""
    plan, controller, engine_set = record.plan, record.controller, record.engine_sets[set_id]
    return Record(
        cluster_id="",
        created="",
        endpoint=record.endpoint,
        plan=replace(
            plan, resource_group="", owns_resource_group=False, tags=_of_the_user(plan.tags)
        ),
        environment=record.environment,
        state=READY,
        limits=record.limits,
        preparation=record.preparation,
        controller=Controller(
            state=READY,
            network_ready=True,
            args=controller.args,
            cmd=controller.cmd or ["ipcontroller"],
            variables=controller.variables,
            boot_timeout_s=controller.boot_timeout_s,
        ),
        engine_sets={
            SET_ID: EngineSet(
                scale_set_id=engine_set.scale_set_id.rpartition("/")[2],
                n=engine_set.n,
                engines_per_vm=engine_set.engines_per_vm,
                vcpus=engine_set.vcpus,
                host_key="",
                state=READY,
                args=engine_set.args,
                variables=engine_set.variables,
                boot_timeout_s=engine_set.boot_timeout_s,
                gpus=engine_set.gpus,
                cmd=engine_set.cmd or ["ipengine"],
            )
        },
    )


def _of_the_user(tags: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in tags.items() if not is_ours(name)}
