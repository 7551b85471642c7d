"""Small wheels, projects and environments that are made for a test, without an index."""

import base64
import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import uv

UV = uv.find_uv_bin()
# a build backend that lies in the project, so that nothing is fetched; as PEP 517 and 660 have it
BACKEND = """\
import base64, hashlib, os, zipfile

NAME, VERSION = {name!r}, os.environ.get(
    "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_{variable}", {version!r})
TAG = {tag!r}


def files():
    for folder, folders, names in os.walk({package!r}):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            if not name.endswith(".pyc"):
                yield path, open(path, "rb").read()


def wheel(directory, contents):
    info = f"{{NAME}}-{{VERSION}}.dist-info"
    contents = dict(contents)
    metadata = f"Metadata-Version: 2.1\\nName: {{NAME}}\\nVersion: {{VERSION}}\\n"
    contents[f"{{info}}/METADATA"] = metadata.encode()
    described = f"Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: {{TAG}}\\n"
    contents[f"{{info}}/WHEEL"] = described.encode()
    rows = []
    for name, data in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        rows.append(f"{{name}},sha256={{digest}},{{len(data)}}\\n")
    contents[f"{{info}}/RECORD"] = ("".join(rows) + f"{{info}}/RECORD,,\\n").encode()
    filename = f"{{NAME}}-{{VERSION}}-{{TAG}}.whl"
    with zipfile.ZipFile(os.path.join(directory, filename), "w") as archive:
        for name, data in contents.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return filename


def build_wheel(directory, config_settings=None, metadata_directory=None):
    {in_build}
    return wheel(directory, files())


def build_editable(directory, config_settings=None, metadata_directory=None):
    return wheel(directory, {{"_{name}.pth": os.getcwd().encode()}}.items())
"""
PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "{name}"
version = "{version}"
"""


def make_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    files: Mapping[str, str] | None = None,
    requires: Sequence[str] = (),
    tag: str = "py3-none-any",
    entry_points: str = "",
) -> Path:
    """Make a wheel of these files and return its path; `{name}.data/...` among them works, too."""
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    module = name.replace("-", "_").replace(".", "_")
    contents = dict(files if files is not None else {f"{module}/__init__.py": "VALUE = 1\n"})
    needs = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    described = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
    contents[f"{info}/METADATA"] = f"{described}\nA description\n\nName: not this one\n"
    contents[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n"
    if entry_points:
        contents[f"{info}/entry_points.txt"] = entry_points
    rows = "".join(
        f'"{path}",{record_hash(text)},{len(text.encode())}\n' for path, text in contents.items()
    )
    contents[f"{info}/RECORD"] = f"{rows}{info}/RECORD,,\n"
    path = folder / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in contents.items():
            archive.writestr(inner, text)
    return path


def record_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def make_project(
    folder: Path,
    name: str,
    version: str = "1.0",
    files: Mapping[str, str] | None = None,
    tag: str = "py3-none-any",
    in_build: str = "pass",
) -> Path:
    """Make a project that builds itself; `in_build` is what its backend does before."""
    module = name.replace("-", "_")
    backend = BACKEND.format(
        name=module,
        variable=module.upper(),
        version=version,
        tag=tag,
        package=module,
        in_build=in_build,
    )
    contents = {
        "pyproject.toml": PROJECT.format(name=name, version=version),
        "backend.py": backend,
        **(files if files is not None else {f"{module}/__init__.py": "VALUE = 1\n"}),
    }
    for path, text in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


class Venv:
    """An empty virtual environment, into which uv installs with a cache of its own."""

    def __init__(self, folder: Path, system_site_packages: bool = False) -> None:
        self.folder, self._cache = folder, folder.with_name(f"{folder.name}-cache")
        more = ["--system-site-packages"] if system_site_packages else []
        self.run(UV, "venv", "--quiet", "--python", sys.executable, *more, folder)
        self.python = str(folder / "bin" / "python")
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.site = folder / "lib" / version / "site-packages"

    def install(self, *arguments: str | Path, link_mode: str = "hardlink") -> None:
        command = [UV, "pip", "install", "--quiet", "--no-deps", "--offline", "--python"]
        self.run(*command, self.python, "--link-mode", link_mode, *arguments)

    def pip_install(self, *arguments: str | Path) -> None:
        """Install with pip instead, this environment's, which installs into others as well."""
        command = [sys.executable, "-m", "pip", "--python", self.python, "install", "--quiet"]
        self.run(*command, "--no-deps", "--no-index", *arguments)

    def run(self, *command: str | Path) -> str:
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=self.folder.parent,
            env={"PATH": "/usr/bin:/bin", "UV_CACHE_DIR": str(self._cache)},
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout
