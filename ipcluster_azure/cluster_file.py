"""ipyparallel's cluster file, for engines that join a cluster which another process started.

There, ipyparallel's own code would overwrite it without the controller, and `ipcluster stop` would
leave the controller running.
"""

import json
from pathlib import Path
from typing import Any

from .record_file import write_private


def add_engine_set(path: Path, set_id: str, state: dict[str, Any]) -> None:
    cluster = _read(path)
    if cluster is not None:
        cluster["engines"]["sets"][set_id] = state
        write_private(path, json.dumps(cluster))


def remove_engine_set(path: Path, set_id: str) -> None:
    cluster = _read(path)
    if cluster is not None and cluster["engines"]["sets"].pop(set_id, None) is not None:
        write_private(path, json.dumps(cluster))


def _read(path: Path) -> dict[str, Any] | None:
    """None if the cluster was stopped meanwhile: then there is nothing to add to."""
    try:
        cluster: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return cluster
