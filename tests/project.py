"""A scientist's project folder: a virtual environment with every kind of package, and a notebook.

What machines have no way to reach is below one folder, over which `hidden_from` lays an empty one.
"""

import base64
import functools
import hashlib
import http.server
import json
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uv

from .project_files import ROOT

UV = uv.find_uv_bin()
USER, PASSWORD = "ada", "s3cret-word"
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
    index_url: str

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
    with private_index(root / "index", [wheel(root / "index", PRIVATE, "1.5")]) as index_url:
        project = Project(root, folder, index_url)
        run(UV, "venv", "--quiet", f"--python={sys.executable}", str(root / "venv"))
        install(project, *packages, PATCHED, CONDA, "-e", str(ROOT))
        install(project, "-e", str(source(root / "sources", EDITABLE)))
        install(project, f"git+{repository(root / 'repositories', GIT)}")
        install(project, PRIVATE, extra_index=with_password(index_url))
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


def wheel(folder: Path, name: str, version: str) -> Path:
    """Write a wheel with one module, without a build."""
    folder.mkdir(parents=True, exist_ok=True)
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    files = {
        f"{module}.py": f"NAME = {name!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},{_hash(text)},{len(text)}\n" for path, text in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in files.items():
            archive.writestr(member, text)
    return path


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def as_conda_installs(project: Project, name: str) -> None:
    """Make a package look as if conda had installed it: from a folder that is gone since."""
    (info,) = project.site_packages.glob(f"{name}-*.dist-info")
    (info / "INSTALLER").write_text("conda\n")
    (info / "direct_url.json").write_text(json.dumps({"url": BUILD_FOLDER, "dir_info": {}}))


def with_password(url: str, password: str = PASSWORD) -> str:
    return url.replace("://", f"://{USER}:{password}@")


class _Index(http.server.SimpleHTTPRequestHandler):
    """Serves a folder (PEP 503) to who knows the password."""

    def do_GET(self) -> None:
        known = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {known}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic realm=lab")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def private_index(folder: Path, wheels: Sequence[Path]) -> Iterator[str]:
    """Serve wheels as a package index with a password, for this computer alone; gives its URL."""
    for path in wheels:
        page = folder / "simple" / path.name.split("-")[0].replace("_", "-")
        page.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, page)
    handler = functools.partial(_Index, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/simple"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def hidden_from(folders: Sequence[Path], command: Sequence[str]) -> list[str]:
    """Return a command that runs `command` where these folders are empty; it needs root."""
    mounts = " && ".join(f'mount -t tmpfs none "${number + 1}"' for number in range(len(folders)))
    script = f'{mounts} && shift {len(folders)} && exec "$@"'
    namespace = ("unshare", "--mount", "--propagation=private", "sh", "-c", script, "sh")
    return [*namespace, *map(str, folders), *command]
