"""ipyparallel's cluster file, which engine sets of other processes join and leave."""

import gc
from pathlib import Path

from ipyparallel.cluster.cluster import Cluster

from ipcluster_azure.launchers.cluster_file import (
    add_engine_set,
    remove_engine_set,
    write_in_one_piece,
)


def test_a_cluster_that_is_being_collected_removes_its_file(tmp_path: Path) -> None:
    # the collector clears weak references before it calls __del__, which stops the cluster
    cluster = Cluster(profile_dir=str(tmp_path / "profile_x"), shutdown_atexit=False)
    write_in_one_piece(cluster)
    path = Path(cluster.cluster_file)
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    write, remove = cluster.write_cluster_file, cluster.remove_cluster_file
    del cluster
    gc.collect()
    write()
    assert path.read_text() == "{}"
    remove()
    assert not path.exists()


def test_engine_sets_join_and_leave_the_cluster_file(tmp_path: Path) -> None:
    path = tmp_path / "cluster-.json"
    add_engine_set(path, "b", {"n": 2})  # stopped meanwhile: nothing to join
    assert not path.exists()
    path.write_text('{"controller": {"x": 1}, "engines": {"class": "azurevm", "sets": {"a": {}}}}')
    add_engine_set(path, "b", {"n": 2})
    assert '"controller": {"x": 1}' in path.read_text()
    assert '"b": {"n": 2}' in path.read_text()
    remove_engine_set(path, "b")
    remove_engine_set(path, "b")
    assert '"b"' not in path.read_text()
