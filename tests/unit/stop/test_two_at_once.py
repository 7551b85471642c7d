"""One cluster deleted by several processes at once: a stop in a terminal, JupyterLab's panel, the
link, `ipcluster-azure reap`."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from azure_emulator.client import EmulatorInfo
from ipcluster_azure.clusters import reap
from ipcluster_azure.clusters.whereabouts import Whereabouts
from ipcluster_azure.naming import Owner
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.resource_manager.api import AzureApi
from ipcluster_azure.resource_manager.discovery import find_clusters
from ipcluster_azure.stop import teardown

from .made_clusters import TEAM, a_progress, endpoint_of, files_left, groups_at_last, make_cluster

OTHER = """
import asyncio, logging, pathlib, sys
from ipcluster_azure.progress import Progress
from ipcluster_azure.record.file import RecordFile
from ipcluster_azure.resource_manager import api
from ipcluster_azure.stop.teardown import delete_cluster

logging.basicConfig(level=logging.INFO)
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(delete_cluster(RecordFile(pathlib.Path(sys.argv[1])), Progress(logging.getLogger())))
print("deleted")
"""


def started_together(file: RecordFile, n: int) -> "list[subprocess.Popen[str]]":
    """Processes that have imported all they need, and begin to delete at the same moment."""
    others = [
        subprocess.Popen(
            [sys.executable, "-c", OTHER, file.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(n)
    ]
    for other in others:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
    for other in others:
        assert other.stdin is not None
        other.stdin.write("\n")
        other.stdin.flush()
    return others


def of_another_version(file: RecordFile) -> None:
    text = json.loads(file.path.read_text())
    file.path.write_text(json.dumps({**text, "format": 99, "surprise": []}))


@pytest.mark.parametrize(
    ("group", "change"),
    [("", None), (TEAM, None), ("", of_another_version), (TEAM, of_another_version)],
)
async def test_all_end_well(
    api: AzureApi,
    info: EmulatorInfo,
    tmp_path: Path,
    group: str,
    change: Callable[[RecordFile], None] | None,
) -> None:
    file = await make_cluster(api, info, tmp_path, group)
    if change is not None:
        change(file)
    others = started_together(file, 3)
    for other in others:
        said, _ = await asyncio.to_thread(other.communicate, timeout=60)
        assert other.returncode == 0, said
        assert said.endswith("deleted\n")
    assert await groups_at_last(info, [group] if group else []) == ([group] if group else [])
    assert files_left(file) == set()


async def test_what_another_deletes_meanwhile_is_reaped_all_the_same(
    api: AzureApi, info: EmulatorInfo, tmp_path: Path
) -> None:
    file = await make_cluster(api, info, tmp_path)
    (cluster,) = find_clusters(api, Owner())
    await teardown.delete_cluster(file, a_progress())
    assert await groups_at_last(info, []) == []
    where = Whereabouts(endpoint_of(info), info.subscription_id)
    failed: list[Exception] = []
    doomed = [reap.Doomed(where, cluster, reap.NOT_ON_RECORD, None)]
    await reap.reap(doomed, a_progress(), lambda _, error: failed.append(error))
    assert failed == []
