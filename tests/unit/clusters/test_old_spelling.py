"""`ipcluster-azure init --update`: of ipcluster_config.py the old names alone are changed."""

from pathlib import Path

import pytest
from ipyparallel.cluster.app import IPClusterEngines, IPClusterStart

from ipcluster_azure.clusters.old_spelling import CLASSES, TRAITS, old_names, translated, updated
from ipcluster_azure.errors import ConfigurationError

BOTH = """\
# c.IPClusterStart.controller_launcher_class = 'local'  a comment
c = get_config()  #noqa

c.IPClusterStart.controller_launcher_class = 'azurevm'   # mine
c.IPClusterStart.clean_logs = False
if True:
    c.IPClusterEngines . engine_launcher_class = (
        'azurevm'
    ); text = "c.IPClusterStart.n = 4"
c.AzureVMLauncher.location = "westeurope"
"""


def _file(folder: Path, content: str | bytes) -> Path:
    path = folder / "ipcluster_config.py"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_only_the_names_are_changed_and_the_file_of_before_is_kept(tmp_path: Path) -> None:
    path = _file(tmp_path, BOTH)
    path.chmod(0o640)
    update = updated(path)
    assert path.read_text() == BOTH  # so far nothing is written
    kept = update.write()
    assert kept.read_text() == BOTH
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.read_text() == BOTH.replace(
        "\nc.IPClusterStart.controller", "\nc.Cluster.controller"
    ).replace("c.IPClusterEngines . engine", "c.Cluster . engine")
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name, kept.name]
    assert updated(path).names == ()
    assert _updated(tmp_path, BOTH)[1].name.endswith(".old2")


def _updated(folder: Path, content: str | bytes) -> tuple[bytes, Path]:
    path = _file(folder, content)
    kept = updated(path).write()
    return path.read_bytes(), kept


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"c.IPClusterStart.n = 4", b"c.Cluster.n = 4"),
        (b"c.IPClusterStart.n = c.IPClusterStart.delay = 4", b"c.Cluster.n = c.Cluster.delay = 4"),
        (b"\xef\xbb\xbfc.IPClusterStart.n = 4\r\n", b"\xef\xbb\xbfc.Cluster.n = 4\r\n"),
        (
            "# ä\n'ü'; c.IPClusterStart.n = 4; x = 'ß'".encode(),
            "# ä\n'ü'; c.Cluster.n = 4; x = 'ß'".encode(),
        ),
        (
            "# coding: latin-1\n'ü'; c.IPClusterStart.n = 4".encode("latin-1"),
            "# coding: latin-1\n'ü'; c.Cluster.n = 4".encode("latin-1"),
        ),
        (b"'\x0c'\nc.IPClusterStart.n = 4\n", b"'\x0c'\nc.Cluster.n = 4\n"),
        (b"get_config().IPClusterEngines.n = 4", b"get_config().Cluster.n = 4"),
        (b"d = c\nd.IPClusterEngines.n = 4", b"d = c\nd.Cluster.n = 4"),
        # what is not carried out is of the old spelling, too
        (
            b"if 0:\n  c.IPClusterStart.delay = 1\nc.IPClusterStart.n = 4",
            b"if 0:\n  c.Cluster.delay = 1\nc.Cluster.n = 4",
        ),
    ],
)
def test_texts_of_all_kinds(tmp_path: Path, before: bytes, after: bytes) -> None:
    assert _updated(tmp_path, before)[0] == after


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("c['IPClusterStart'].n = 4", "c.IPClusterStart.n in a way that is not understood"),
        ("a = c.IPClusterStart\na.n = 4", "in a way that is not understood"),
        ("setattr(c.IPClusterEngines, 'n', 4)", "in a way that is not understood"),
        ("c.IPClusterStart.update(n=4)", "in a way that is not understood"),
        ("c.IPClusterStart.n = 4\nc.Cluster.n = 4 if 'n' in c.Cluster else 5", "another name"),
        ("c.Cluster.n = 5\nc.IPClusterStart.n = 4", "another name"),
        ("c.IPClusterEngines.n = 5\nc.IPClusterStart.n = 4\n", None),
        ("c.IPClusterStart.n = 4\nc.IPClusterEngines.n = 5\n", "another name"),
        ("c.IPClusterStart.n = ", "can't be read"),
        ("c.IPClusterStart.n = 1 / 0", "ZeroDivisionError"),
        ("# coding: nosuch\nc.IPClusterStart.n = 1", "can't be read"),
    ],
)
def test_what_is_not_understood_is_left_as_it_is(
    tmp_path: Path, text: str, words: str | None
) -> None:
    path = _file(tmp_path, text)
    if words is None:
        updated(path)
    else:
        with pytest.raises(ConfigurationError, match=words):
            updated(path)
    assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_to_the_file_stays_one(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    target = _file(tmp_path / "mine", "c.IPClusterStart.n = 4")
    link = tmp_path / "ipcluster_config.py"
    link.symlink_to(target)
    updated(link).write()
    assert link.is_symlink()
    assert target.read_text() == "c.Cluster.n = 4"


@pytest.mark.parametrize("trait", TRAITS)
@pytest.mark.parametrize("class_name", CLASSES)
def test_the_old_names_are_those_that_ipyparallel_moves(class_name: str, trait: str) -> None:
    app = {"IPClusterStart": IPClusterStart, "IPClusterEngines": IPClusterEngines}[class_name]()
    app.log.handlers = []
    app.config[class_name][trait] = 7
    new, names = translated(app.config)
    app.init_deprecated_config()
    assert new.Cluster == app.config.Cluster == {trait: 7}
    assert names == (f"c.{class_name}.{trait}",)


def test_old_names_are_seen_without_running_the_file(tmp_path: Path) -> None:
    path = _file(tmp_path, f"{BOTH}\nraise SystemExit")
    assert old_names(path) == (
        "c.IPClusterStart.controller_launcher_class",
        "c.IPClusterEngines.engine_launcher_class",
    )
    assert old_names(_file(tmp_path, "c.IPClusterStart.n = ")) == ()
    assert old_names(tmp_path / "nosuch.py") == ()
