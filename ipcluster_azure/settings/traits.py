"""The launchers' common base, which has a trait for each field of `Settings`.

`c.AzureVMLauncher.location = "eastus"` holds for both launchers, a setting of
AzureVMControllerLauncher or AzureVMEngineSetLauncher for that one alone.
"""

import difflib
from typing import Any

from ipyparallel.cluster.launcher import BaseLauncher, ControllerLauncher, EngineLauncher
from traitlets import TraitError
from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue

from ..errors import ConfigurationError
from .string_checks import check_cluster_id, check_environment, check_job_file_name, check_texts
from .value_checks import check_values
from .values import TRAITS, Settings, frozen

SECTIONS = ("AzureVMLauncher", "AzureVMControllerLauncher", "AzureVMEngineSetLauncher")


class AzureVMLauncher(BaseLauncher):  # type: ignore[misc]
    """Settings shared by the launchers for controllers and engines on Azure virtual machines."""

    vars().update(TRAITS)  # as if each were written here: location = Unicode("eastus", ...)

    job_file_name: str
    _unusable: str = ""

    def _load_config(self, cfg: Any, *args: Any, **kwargs: Any) -> None:
        """Load the configuration; keep the message about a bad value for `settings()` to raise.

        The constructor runs where ipcluster would log the exception and then hang for ever.
        """
        try:
            super()._load_config(cfg, *args, **kwargs)
        except TraitError as error:
            self._unusable = str(error)

    def settings(self) -> Settings:
        """Return the checked settings; raise ConfigurationError naming the first that can't be."""
        if self._unusable:
            raise ConfigurationError(f"Bad setting: {self._unusable}")
        check_names(self.config)
        values = {name: frozen(trait, getattr(self, name)) for name, trait in TRAITS.items()}
        values["endpoint"] = values["endpoint"].rstrip("/")
        settings = Settings(**values)
        check_values(settings)
        self._check_strings()
        return settings

    def _check_strings(self) -> None:
        """Check what users give besides the settings: a file's name, arguments and variables."""
        check_cluster_id(self.cluster_id)
        check_job_file_name(self.job_file_name.replace("{cluster_id}", self.cluster_id))
        check_environment(self.environment)
        for name in ("controller_args", "engine_args"):
            check_texts(name, getattr(self, name, ()))


def setting_names() -> dict[str, str]:
    """Return the help of every shared setting by name, sorted."""
    return {name: str(trait.help) for name, trait in sorted(TRAITS.items())}


def check_names(config: Config) -> None:
    """Raise ConfigurationError if a section or a setting for our launchers doesn't exist."""
    for section in config:
        if section.lower().startswith("azurevm") and section not in SECTIONS:
            raise ConfigurationError(
                f"There is no c.{section} to configure{_did_you_mean(section, SECTIONS)}. "
                f"Settings of ipcluster-azure belong to {', '.join(SECTIONS)}."
            )
    valid = _valid_names()
    for section in SECTIONS:
        for name, value in config.get(section, {}).items():
            if name not in valid and not isinstance(value, LazyConfigValue):
                raise ConfigurationError(
                    f"c.{section}.{name} is not a setting{_did_you_mean(name, valid)}. "
                    f"Valid ones: {', '.join(sorted(valid))}."
                )


def _valid_names() -> set[str]:
    """Return every setting's name, of both launchers: either reads the section that they share."""
    names = {"job_file_name"}  # the one that each launcher declares for itself
    for kind in (AzureVMLauncher, ControllerLauncher, EngineLauncher):
        names.update(kind.class_trait_names(config=True))
    return names


def _did_you_mean(name: str, valid: Any) -> str:
    close = difflib.get_close_matches(name, list(valid), n=1)
    return "".join(f" (did you mean {other}?)" for other in close)
