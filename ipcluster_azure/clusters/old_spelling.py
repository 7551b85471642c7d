"""Launcher lines in the spelling of ipyparallel 6: c.IPClusterStart.controller_launcher_class.

`ipcluster start` still takes them for those of c.Cluster, with a warning. ipp.Cluster and
JupyterLab's panel don't, and start local engines.
"""

import ast
import io
import os
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from ..errors import ConfigurationError

CLASSES = ("IPClusterStart", "IPClusterEngines")
NEW_CLASS = "Cluster"
# those that ipyparallel's IPClusterEngines.init_deprecated_config moves
TRAITS = (
    "delay",
    "engine_launcher_class",
    "controller_launcher_class",
    "controller_ip",
    "controller_location",
    "n",
)


@dataclass(frozen=True)
class Update:
    """A configuration file, `path`, before and after; `names`: what it sets by an old name."""

    path: Path
    names: tuple[str, ...]
    old: str
    new: str
    encoding: str

    def write(self) -> Path:
        """Replace the file, and return where the one of before is kept."""
        kept = self.path.with_name(f"{self.path.name}.old")
        number = 1
        while kept.exists():
            number += 1
            kept = self.path.with_name(f"{self.path.name}.old{number}")
        target = self.path.resolve()  # a link stays one
        written = target.with_name(f".{target.name}.new")
        written.write_bytes(self.new.encode(self.encoding))
        written.chmod(target.stat().st_mode)
        kept.write_bytes(self.old.encode(self.encoding))
        os.replace(written, target)
        return kept


def advice(profile: str, names: tuple[str, ...]) -> str:
    """Return a line that says what the old names do, and what to type."""
    return (
        f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} of ipyparallel 6: `ipcluster "
        "start` takes it for c.Cluster's, but ipp.Cluster and JupyterLab's panel start local "
        f"engines. `ipcluster-azure init --profile={profile} --update` writes the new name."
    )


def translated(config: Config) -> tuple[Config, tuple[str, ...]]:
    """Return the configuration as `ipcluster start` understands it, and the old names in it."""
    new, names = Config(config), list[str]()
    for class_name in CLASSES:
        for trait in TRAITS:
            if class_name in config and trait in config[class_name]:
                names.append(f"c.{class_name}.{trait}")
                if trait not in new[NEW_CLASS]:
                    new[NEW_CLASS] = Config(new[NEW_CLASS], **{trait: config[class_name][trait]})
    return new, tuple(names)


def old_names(path: Path) -> tuple[str, ...]:
    """Return what a configuration file plainly sets by an old name, without running it."""
    try:
        text, _ = _read(path)
        return tuple(f"c.{place.attr}.{trait}" for place, trait in _places(text))
    except (OSError, SyntaxError, UnicodeDecodeError, ValueError):
        return ()


def updated(path: Path) -> Update:
    """Write the new names for the old in a configuration file, and change nothing else of it.

    Raises ConfigurationError unless the new text configures exactly what the old one does.
    """
    try:
        text, encoding = _read(path)
        places = [place for place, _ in _places(text)]
    except (OSError, SyntaxError, UnicodeDecodeError, ValueError) as error:
        raise ConfigurationError(f"{path} can't be read: {error}") from error
    old, names = translated(_loaded(path, path))
    lines = list(io.StringIO(text, newline=""))
    ends = {(place.end_lineno or 0, place.end_col_offset or 0): place for place in places}
    for (row, end), place in sorted(ends.items(), reverse=True):
        line = lines[row - 1].encode()  # ast counts lines from 1, and bytes
        start = end - len(place.attr.encode())
        lines[row - 1] = (line[:start] + NEW_CLASS.encode() + line[end:]).decode()
    update = Update(path, names, text, "".join(lines), encoding)
    _check(update, old)
    return update


def _check(update: Update, old: Config) -> None:
    """Load what was written, beside the file of before, as its own folder may matter to it."""
    trial = update.path.with_name(f".{update.path.stem}_update.py")
    try:
        trial.write_bytes(update.new.encode(update.encoding))
        new, left = translated(_loaded(trial, update.path))
    finally:
        trial.unlink(missing_ok=True)
    if left:
        raise ConfigurationError(
            f"{update.path} sets {', '.join(left)} in a way that is not understood: nothing was "
            "changed. Write c.Cluster instead by hand."
        )
    if _described(new) != _described(old):
        raise ConfigurationError(
            f"{update.path} sets {' and '.join(update.names)} and the same by another name: "
            "nothing was changed. Remove by hand what does not count."
        )


def _described(config: Config) -> dict[str, str]:
    return {trait: repr(value) for trait, value in config[NEW_CLASS].items()}


def _loaded(path: Path, shown: Path) -> Config:
    try:
        return PyFileConfigLoader(path.name, path=str(path.parent)).load_config()
    except Exception as error:  # whatever the user's own code raises
        raise ConfigurationError(f"{shown} can't be read: {error!r}") from error


def _read(path: Path) -> tuple[str, str]:
    """Return a Python file's text, its line ends as they are, and its encoding."""
    content = path.read_bytes()
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    return content.decode(encoding), encoding


def _places(text: str) -> Iterator[tuple[ast.Attribute, str]]:
    """Yield the c.IPClusterStart of each `c.IPClusterStart.TRAIT = ...`, and the trait."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if (
                    isinstance(target, ast.Attribute)
                    and target.attr in TRAITS
                    and isinstance(target.value, ast.Attribute)
                    and target.value.attr in CLASSES
                ):
                    yield target.value, target.attr
