"""A scientist's project folder: a virtual environment with every kind of package, and a notebook.

What machines have no way to reach is below one folder, over which `hidden_from` lays an empty one.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uv

from .package_index import PackageIndex, served
from .project_files import ROOT

UV = uv.find_uv_bin()
PASSWORD = "s3cret-word"
BACKEND = """
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{name}"
version = "{version}"
"""
# what each kind of package is called, and the module in it
EDITABLE, GIT, PRIVATE, PATCHED, CONDA = "lab-tools lab-models lab-secret tabulate toolz".split()
BUILD_FOLDER = "file:///croot/toolz_1667464077321/work"  # as conda's own builds name it


@dataclass(frozen=True)
class Project:
    """`folder` is the working directory; `root` holds all that machines can't reach."""

    root: Path
    folder: Path

    @property
    def bin(self) -> Path:
        return self.root / "venv" / "bin"

    @property
    def python(self) -> Path:
        return self.bin / "python"

    @property
    def site_packages(self) -> Path:
        (found,) = (self.root / "venv" / "lib").glob("python*/site-packages")
        return found

    def versions(self) -> dict[str, str]:
        """Versions of all that is installed, by normalized names."""
        listed = run(UV, "pip", "list", "--format=json", "--quiet", f"--python={self.python}")
        return {item["name"]: item["version"] for item in json.loads(listed)}


@contextmanager
def make_project(root: Path, packages: Sequence[str]) -> Iterator[Project]:
    """Make an environment with these packages of the index and one of each other kind."""
    folder = root / "project"
    folder.mkdir(parents=True)
    index = PackageIndex(password=PASSWORD)
    index.add(PRIVATE, "1.5")
    with served(index):
        project = Project(root, folder)
        run(UV, "venv", "--quiet", f"--python={sys.executable}", str(root / "venv"))
        install(project, *packages, PATCHED, CONDA, "-e", str(ROOT))
        install(project, "-e", str(source(root / "sources", EDITABLE)))
        install(project, f"git+{repository(root / 'repositories', GIT)}")
        install(project, PRIVATE, extra_index=index.url_for("ada", PASSWORD))
        as_conda_installs(project, CONDA)
        patched = project.site_packages / PATCHED / "__init__.py"
        with patched.open("a") as file:
            file.write("\n\nMENDED = True\n")
        (folder / "beside.py").write_text("def triple(x):\n    return 3 * x\n")
        (folder / "numbers.csv").write_text("a\n1\n2\n")
        yield project


def install(project: Project, *requirements: str, extra_index: str = "") -> None:
    words = [f"--index={extra_index}"] if extra_index else []
    # copies: a package that is patched would else be patched in uv's own cache too
    python = ("--python", str(project.python), "--link-mode=copy", "--quiet")
    run(UV, "pip", "install", *python, *words, *requirements)


def run(*command: str, cwd: Path | None = None) -> str:
    return subprocess.run(
        command, cwd=cwd, check=True, stdout=subprocess.PIPE, text=True, timeout=600
    ).stdout


def source(folder: Path, name: str) -> Path:
    """Write the sources of a package with one module, which has a function `double`."""
    place = folder / name
    module = name.replace("-", "_")
    (place / module).mkdir(parents=True)
    (place / "pyproject.toml").write_text(BACKEND.format(name=name, version="0.3"))
    code = f"NAME = {name!r}\n\n\ndef double(x):\n    return 2 * x\n"
    (place / module / "__init__.py").write_text(code)
    return place


def repository(folder: Path, name: str) -> str:
    """Return the address of a git repository with the sources of a package."""
    place = source(folder, name)
    git = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    for words in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "--message=A model")):
        run(*git, *words, cwd=place)
    return place.as_uri()


def as_conda_installs(project: Project, name: str) -> None:
    """Make a package look as if conda had installed it: from a folder that is gone since."""
    (info,) = project.site_packages.glob(f"{name}-*.dist-info")
    (info / "INSTALLER").write_text("conda\n")
    (info / "direct_url.json").write_text(json.dumps({"url": BUILD_FOLDER, "dir_info": {}}))


def hidden_from(folders: Sequence[Path], command: Sequence[str]) -> list[str]:
    """Return a command that runs `command` where these folders are empty; it needs root."""
    mounts = " && ".join(f'mount -t tmpfs none "${number + 1}"' for number in range(len(folders)))
    script = f'{mounts} && shift {len(folders)} && exec "$@"'
    namespace = ("unshare", "--mount", "--propagation=private", "sh", "-c", script, "sh")
    return [*namespace, *map(str, folders), *command]
