"""ipyparallel's cluster file, which engine sets of other processes join and leave."""

from pathlib import Path

from ipcluster_azure.launchers.cluster_file import add_engine_set, remove_engine_set


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
