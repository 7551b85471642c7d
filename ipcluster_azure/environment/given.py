"""The packages that python_lock names: a pylock.toml, uv.lock, pyproject.toml or requirements.txt.

What is installed here is not asked. Relative paths in them are relative to the file.
"""

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.markers import InvalidMarker, Marker
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from ..errors import ConfigurationError
from .indexes import Indexes
from .lock import full_version, markers_of, read_toml
from .needs import holds
from .requirements_file import read_requirements
from .resolve import ONLY_WHEELS, Found, Resolver, Unsolvable, packages_of
from .uv import UvFailed, one_line, run_uv

PYLOCK = re.compile(r"pylock(\.[^.]+)?\.toml")


@dataclass(frozen=True)
class Given:
    """A file of packages, and the files that its meaning depends on."""

    path: Path
    resolver: Resolver

    def packages(self) -> list[Found]:
        """Raises ConfigurationError, in one line, if the file can't be used."""
        if PYLOCK.fullmatch(self.path.name):
            return self._locked(self.path, read_toml(self.path))
        if self.path.name == "uv.lock":
            return self._exported()
        if self.path.name == "pyproject.toml":
            project = read_toml(self.path).get("project", {})
            self._check_python(project.get("requires-python", ""))
            return self._compiled()
        return self._hashed(self._compiled())

    def _locked(self, path: Path, lock: Mapping[str, Any]) -> list[Found]:
        self._check_python(lock.get("requires-python", ""))
        packages = lock.get("packages")
        if not isinstance(packages, list) or not all("name" in item for item in packages):
            raise ConfigurationError(f"{self.path} is not a lock: it has no [[packages]].")
        groups = frozenset(lock.get("default-groups", ()))
        applying = [item for item in packages if self._applies(item, groups)]
        try:
            return packages_of({"packages": applying}, path.parent)
        except (KeyError, TypeError, AttributeError) as error:
            raise ConfigurationError(f"{self.path} is damaged: {error!r} is missing.") from None

    def _exported(self) -> list[Found]:
        """Of a uv.lock; --frozen leaves it as it is."""
        with tempfile.TemporaryDirectory(prefix="ipcluster-azure-") as folder:
            output = Path(folder, "pylock.toml")
            arguments: list[str | Path] = ["export", "--frozen", "--format", "pylock.toml"]
            arguments += ["--quiet", "--no-header", "--output-file", output]
            arguments += ["--python", self.resolver.python, "--no-python-downloads"]
            try:
                run_uv(arguments, self.resolver.indexes.environment, self.path.parent)
            except UvFailed as error:
                raise self._unusable(error.said) from None
            return self._locked(output, read_toml(output))

    def _compiled(self) -> list[Found]:
        """Wheels where there are any; else, of what has only sources, these."""
        with tempfile.TemporaryDirectory(prefix="ipcluster-azure-") as name:
            folder = Path(name)
            try:
                output = self.resolver.compile([self.path], folder, ONLY_WHEELS)
            except Unsolvable:
                try:
                    output = self.resolver.compile([self.path], folder)
                except Unsolvable as error:
                    raise self._unusable(str(error)) from None
            return packages_of(read_toml(output), folder)

    def _hashed(self, packages: list[Found]) -> list[Found]:
        """With those wheels alone whose hashes the file has, where it has any."""
        hashes = read_requirements(self.path).hashes
        checked = []
        for package in packages:
            allowed = hashes.get(package.name)
            wheels = {
                name: wheel
                for name, wheel in package.wheels.items()
                if allowed is None or wheel.sha256 in allowed
            }
            if package.wheels and not wheels:
                raise ConfigurationError(
                    f"{self.path}: no wheel of {package.name} {package.version} has one of the "
                    "hashes given there. Lock it anew, for Linux as well."
                )
            checked.append(replace(package, wheels=wheels))
        return checked

    def _applies(self, package: Mapping[str, Any], groups: frozenset[str]) -> bool:
        text = package.get("marker", "")
        if not text:
            return True
        markers: dict[str, Any] = dict(markers_of(self.resolver.target))
        try:
            marker = Marker(text)
            if "extras" not in text and "dependency_groups" not in text:
                return holds(marker, markers)
            markers |= {"extras": frozenset(), "dependency_groups": groups}
            return marker.evaluate(markers, context="lock_file")
        except (InvalidMarker, TypeError):
            raise ConfigurationError(
                f"{self.path}: the marker {text!r} of {package['name']} is not understood."
            ) from None

    def _check_python(self, specifier: str) -> None:
        version = full_version(self.resolver.target)
        try:
            fits = SpecifierSet(specifier).contains(version, prereleases=True)
        except InvalidSpecifier:
            raise ConfigurationError(f"{self.path}: requires-python is {specifier!r}.") from None
        if not fits:
            raise ConfigurationError(
                f"{self.path} is for Python {specifier}, and the machines get {version} as this "
                "process has it, since functions travel to and from it. Start from such a Python, "
                "or set c.AzureVMLauncher.python_lock = ''."
            )

    def _unusable(self, said: str) -> ConfigurationError:
        return ConfigurationError(f"{self.path} can't be used for the machines: {one_line(said)}.")


def files_of(path: Path) -> list[Path]:
    """Which files a lock that is made of this one depends on."""
    if path.name == "uv.lock":
        return [path, path.with_name("pyproject.toml")]
    return [path] if path.suffix == ".toml" else read_requirements(path).files


def with_urls_of(path: Path, indexes: Indexes) -> Indexes:
    """The indexes, with those that a requirements file names: their credentials stay here, too."""
    if path.suffix == ".toml" or path.name == "uv.lock":
        return indexes
    return replace(indexes, urls=(*indexes.urls, *read_requirements(path).urls))


def path_of(text: str) -> Path:
    """The file that python_lock names. Raises ConfigurationError if there is none."""
    path = Path(text).expanduser().absolute()
    if not path.is_file():
        raise ConfigurationError(
            f"python_lock: there is no file {path}. It takes the path of a pylock.toml, uv.lock, "
            "pyproject.toml or requirements.txt."
        )
    return path
