"""Settings that would be accepted and do nothing: in a section that nobody reads them from, or of
ipyparallel's launchers for local processes. Pure.
"""

from collections.abc import Iterator
from typing import Any

from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue

from ..errors import ConfigurationError
from .values import OF_EITHER_SIDE, OF_ENGINES, TRAITS

SHARED, CONTROLLER, ENGINES = SECTIONS = (
    "AzureVMLauncher",
    "AzureVMControllerLauncher",
    "AzureVMEngineSetLauncher",
)
OF_CONTROLLER = frozenset({"controller_args", "controller_cmd", "connection_info_timeout"})
# what ipyparallel's launchers have, and what holds here in its place
WITHOUT_EFFECT = {
    "output_limit": "logs are kept as a whole, in the profile's log folder",
    "stop_timeout": "a stop waits for no process, but for Azure to accept the deletion",
}


def sections(config: Config) -> Iterator[tuple[str, str, Config]]:
    """Yield our sections, and what was meant for one, with path and name; some are within others
    (c.Cluster.AzureVMLauncher)."""
    for name, section in config.items():
        if name.lower().startswith("azurevm"):
            yield name, name, section if isinstance(section, Config) else Config()
        elif isinstance(section, Config):
            for path, inner, found in sections(section):
                yield f"{name}.{path}", inner, found


def is_set(value: Any) -> bool:
    """Return whether a configured value is one: traitlets makes some for what is only looked at."""
    if isinstance(value, LazyConfigValue):
        return bool(value.to_dict())
    return not isinstance(value, Config)


def check_placement(section: str, path: str, name: str) -> None:
    """Raise ConfigurationError for a setting that its section can't give an effect to."""
    if section == ENGINES and name in TRAITS and name not in OF_EITHER_SIDE | OF_ENGINES:
        raise ConfigurationError(
            f"c.{path}.{name} has no effect: it is one for the whole cluster. Set "
            f"c.{SHARED}.{name}."
        )
    for other, names, what in (
        (CONTROLLER, {*OF_ENGINES, "engine_args", "engine_cmd"}, "engines"),
        (ENGINES, OF_CONTROLLER, "the controller"),
    ):
        if section == other and name in names:
            raise ConfigurationError(
                f"c.{path}.{name} has no effect: it is about {what}. Set c.{SHARED}.{name}."
            )


def check_effect(launcher: Any, name: str, configured: bool) -> None:
    """Raise ConfigurationError if one of WITHOUT_EFFECT is `configured`, or was given in a call."""
    trait = launcher.traits().get(name)
    if configured or (trait is not None and getattr(launcher, name) != trait.default(launcher)):
        raise ConfigurationError(f"{name} has no effect on Azure: {WITHOUT_EFFECT[name]}.")
