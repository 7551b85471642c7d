"""The launchers' common base, which has a trait for each field of `Settings`.

`c.AzureVMLauncher.location = "eastus"` holds for both launchers, a setting of
AzureVMControllerLauncher or AzureVMEngineSetLauncher for that one alone.
"""

import difflib
from typing import Any

from ipyparallel.cluster.launcher import BaseLauncher, ControllerLauncher, EngineLauncher
from traitlets import Integer
from traitlets.config import Config
from traitlets.config.loader import DeferredConfig

from ..errors import ConfigurationError
from .fields import frozen
from .placement import (
    CONTROLLER,
    ENGINES,
    SECTIONS,
    WITHOUT_EFFECT,
    check_effect,
    check_placement,
    is_set,
    sections,
)
from .string_checks import (
    check_arguments,
    check_cluster_id,
    check_command,
    check_environment,
    check_job_file_name,
)
from .trait_words import first_refused
from .value_checks import check_combinations, check_values, region_name
from .values import TRAITS, Settings


class AzureVMLauncher(BaseLauncher):  # type: ignore[misc]
    """Settings shared by the launchers for controllers and engines on Azure virtual machines."""

    vars().update(TRAITS)  # as if each were written here: location = Unicode("eastus", ...)

    # without effect here, so not to be configured: what ipyparallel's have is not shown to users
    output_limit = Integer(100)
    stop_timeout = Integer(60)

    job_file_name: str
    _unusable: str = ""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._given = given.keys()

    def _load_config(self, cfg: Any, *args: Any, **kwargs: Any) -> None:
        """Load the configuration; keep the message about a bad value for `settings()` to raise.

        The constructor runs where ipcluster would log the exception and then hang for ever.
        """
        try:
            super()._load_config(cfg, *args, **kwargs)
        except Exception as error:  # TraitError, or what a value's own comparison raises
            found = first_refused(self._find_my_config(cfg), self.traits(config=True), self)
            self._unusable = found or str(error)

    def settings(self) -> Settings:
        """Return the checked settings; raise ConfigurationError naming the first that can't be."""
        if self._unusable:
            raise ConfigurationError(f"Bad setting: {self._unusable}")
        check_names(self.config)
        self._check_effects()
        values = {name: frozen(trait, getattr(self, name)) for name, trait in TRAITS.items()}
        values["endpoint"] = values["endpoint"].rstrip("/")
        values["location"] = region_name(values["location"])
        settings = Settings(**values)
        check_values(settings)
        if not isinstance(self, EngineLauncher):
            check_combinations(settings)
        self._check_strings()
        return settings

    def _check_effects(self) -> None:
        """Refuse what would do nothing: of ipyparallel's, or given to the wrong launcher's call."""
        configured = self._find_my_config(self.config)
        for name in WITHOUT_EFFECT:
            check_effect(self, name, name in configured and is_set(configured[name]))
        section = ENGINES if isinstance(self, EngineLauncher) else CONTROLLER
        for name in self._given:
            check_placement(section, section, name)

    def _check_strings(self) -> None:
        """Check what users give besides the settings: a file's name, arguments and variables."""
        check_cluster_id(self.cluster_id)
        check_job_file_name(self.job_file_name.replace("{cluster_id}", self.cluster_id))
        check_environment(self.environment)
        for name in ("controller_args", "engine_args"):
            check_arguments(name, getattr(self, name, ()))
        program = "engine" if isinstance(self, EngineLauncher) else "controller"
        check_command(f"{program}_cmd", getattr(self, f"{program}_cmd", ()))


def setting_names() -> dict[str, str]:
    """Return the help of every shared setting by name, sorted."""
    return {name: str(trait.help) for name, trait in sorted(TRAITS.items())}


def check_names(config: Config) -> None:
    """Raise ConfigurationError for a section or a setting of ours that doesn't exist, or that has
    no effect where it stands."""
    valid = _valid_names()
    for name, value in config.items():
        if isinstance(value, DeferredConfig):  # from the command line, and of no class
            setting = name.replace("-", "_")
            hint = f": did you mean --{SECTIONS[0]}.{setting}?" if setting in valid else "."
            raise ConfigurationError(f"--{name} is not an option of ipcluster{hint}")
    for path, section, values in sections(config):
        if section not in SECTIONS:
            raise ConfigurationError(
                f"There is no c.{path} to configure{_did_you_mean(section, SECTIONS)}. "
                f"Settings of ipcluster-azure belong to {', '.join(SECTIONS)}."
            )
        for name in (name for name, value in values.items() if is_set(value)):
            if name not in valid and name not in WITHOUT_EFFECT:
                raise ConfigurationError(
                    f"c.{path}.{name} is not a setting{_did_you_mean(name, valid)}. "
                    f"Valid ones: {', '.join(sorted(valid))}."
                )
            check_placement(section, path, name)


def _valid_names() -> set[str]:
    """Return every setting's name, of both launchers: either reads the section that they share."""
    names = {"job_file_name"}  # the one that each launcher declares for itself
    for kind in (AzureVMLauncher, ControllerLauncher, EngineLauncher):
        names.update(kind.class_trait_names(config=True))
    return names - WITHOUT_EFFECT.keys()


def _did_you_mean(name: str, valid: Any) -> str:
    close = difflib.get_close_matches(name, list(valid), n=1)
    return "".join(f" (did you mean {other}?)" for other in close)
