"""Files of indexes, fetched here."""

import os
import stat
from pathlib import Path

import pytest

from ipcluster_azure.environment.fetch import fetch
from ipcluster_azure.environment.indexes import indexes_of
from ipcluster_azure.environment.lock import Wheel
from ipcluster_azure.errors import ConfigurationError
from tests.package_index import PackageIndex


def test_a_file_that_is_not_the_one_that_was_listed_is_refused(
    index: PackageIndex, tmp_path: Path
) -> None:
    name = index.add("spam", "1.0")
    url = f"http://127.0.0.1:{index.port}/files/{name}"
    indexes = indexes_of("/", os.environ, tmp_path)

    with pytest.raises(ConfigurationError, match="not the file that the index describes"):
        fetch([Wheel(name, "0" * 64, url)], tmp_path, indexes)
    assert list(tmp_path.iterdir()) == []

    (fetched,) = fetch([Wheel(name, "", url)], tmp_path, indexes)
    assert fetched.path == tmp_path / name
    assert stat.S_IMODE(fetched.path.stat().st_mode) == 0o600
    index.asked.clear()
    assert fetch([Wheel(name, fetched.sha256, url)], tmp_path, indexes) == [fetched]
    assert index.asked == []


def test_what_is_not_there_is_named_all_at_once(index: PackageIndex, tmp_path: Path) -> None:
    urls = [f"http://127.0.0.1:{index.port}/files/{name}.whl" for name in ("a", "b")]
    wheels = [Wheel(url.rpartition("/")[2], "", url) for url in urls]
    gone = Wheel("c.whl", "", path=tmp_path / "c.whl")

    with pytest.raises(ConfigurationError) as caught:
        fetch([*wheels, gone], tmp_path, indexes_of("/", os.environ, tmp_path))

    text = str(caught.value)
    assert f"a.whl from {index.url}: HTTP 404; b.whl from {index.url}: HTTP 404; c.whl" in text
