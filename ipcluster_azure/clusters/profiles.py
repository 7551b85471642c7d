"""Profiles of an IPython directory, as the commands name them."""

from pathlib import Path

from traitlets.config import Application, Config

from ..errors import ConfigurationError


def profile_dir(ipython_dir: str, profile: str) -> Path:
    """Return the folder of a profile. Raises ConfigurationError if there is no such profile."""
    from IPython.core.profiledir import ProfileDir, ProfileDirError

    try:
        return Path(ProfileDir.find_profile_dir_by_name(ipython_dir, profile).location)
    except ProfileDirError:
        raise ConfigurationError(
            f"There is no profile {profile!r} in {ipython_dir}. Make it with "
            f"`ipcluster-azure init --profile={profile}`."
        ) from None


def profile_config(folder: Path) -> Config:
    """Return the settings in ipcluster_config.py of a profile and of the computer, loaded as
    ipcluster does. Raises ConfigurationError if its Python fails."""
    from IPython.core.application import ENV_CONFIG_DIRS, SYSTEM_CONFIG_DIRS

    loader = Application()
    loader.raise_config_file_errors = True
    try:
        paths = [str(folder), *ENV_CONFIG_DIRS, *SYSTEM_CONFIG_DIRS]
        loader.load_config_file("ipcluster_config", path=paths)
    except Exception as error:  # whatever the user's own code raises
        name = folder.name.removeprefix("profile_")
        raise ConfigurationError(
            f"ipcluster_config.py of profile {name} can't be read: {error!r}"
        ) from error
    return loader.config
