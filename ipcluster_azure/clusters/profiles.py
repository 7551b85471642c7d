"""Profiles of an IPython directory, as the commands name them."""

from pathlib import Path

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
