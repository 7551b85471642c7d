"""pip's configuration of an interpreter, as `pip config list` shows it, without running pip.

Many environments have no pip, and it takes longer to start than all of this.
"""

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import platformdirs

from ..errors import ConfigurationError

NAME = "pip.ini" if sys.platform == "win32" else "pip.conf"
# its options that say where packages are, in the order in which a later section wins
SECTIONS = ("global", "install")


def pip_settings(prefix: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the options by their long names, such as extra-index-url, with the texts as given.

    `prefix` is the interpreter's sys.prefix. Raises ConfigurationError for a file that is damaged.
    """
    found: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for path in configuration_files(prefix, environment):
        for section, options in _read(path).items():
            found.get(section, {}).update(options)
    merged = {name: text for section in SECTIONS for name, text in found[section].items()}
    for name, text in environment.items():
        if name.startswith("PIP_") and text:
            merged[_option(name[len("PIP_") :])] = text
    return merged


def configuration_files(prefix: str, environment: Mapping[str, str]) -> Iterator[Path]:
    """Those that there are, in the order in which a later one wins."""
    own = environment.get("PIP_CONFIG_FILE", "")
    if own == os.devnull:
        return
    groups = [_of_computer(), [] if own and os.path.exists(own) else _of_user()]
    for path in [*groups[0], *groups[1], Path(prefix, NAME), *([Path(own)] if own else [])]:
        if path.is_file():
            yield path


def _of_computer() -> list[Path]:
    if sys.platform == "win32":
        return [Path(platformdirs.site_config_dir("pip", appauthor=False), NAME)]
    if sys.platform == "darwin":
        return [Path("/Library/Application Support/pip", NAME)]
    folders = platformdirs.site_config_dir("pip", appauthor=False, multipath=True)
    return [Path(folder, NAME) for folder in [*folders.split(os.pathsep), "/etc"]]


def _of_user() -> list[Path]:
    folder = Path(platformdirs.user_config_dir("pip", appauthor=False, roaming=True))
    if sys.platform == "darwin" and not folder.is_dir():
        folder = Path("~/.config/pip").expanduser()
    legacy = Path.home() / ("pip" if sys.platform == "win32" else ".pip")
    return [legacy / NAME, folder / NAME]


def _read(path: Path) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        # its message would show the line, which may hold a password
        raise ConfigurationError(f"{path} is damaged: see `pip config debug`.") from None
    return {
        section: {_option(name): text for name, text in parser.items(section)}
        for section in parser.sections()
    }


def _option(name: str) -> str:
    return name.lower().replace("_", "-").removeprefix("--")
