"""Options of the commands that look around in a subscription: which one."""

from IPython.core.application import ENV_CONFIG_DIRS, SYSTEM_CONFIG_DIRS
from IPython.paths import get_ipython_dir
from traitlets import Unicode
from traitlets.config import Config

from ..clusters.local_records import LocalRecord
from ..clusters.profiles import profile_dir
from ..clusters.whereabouts import Whereabouts, configured, everywhere, of_settings
from ..errors import ConfigurationError
from ..launchers import AzureVMControllerLauncher
from ..settings.values import PUBLIC_CLOUD
from .base import Command


class SubscriptionCommand(Command):
    """A command that asks Azure, and says where by options, by a profile or by looking around."""

    endpoint = Unicode(
        "", config=True, help="Resource Manager endpoint: https://..., or `emulator`."
    )
    subscription_id = Unicode("", config=True, help="The subscription to ask.")
    profile = Unicode("", config=True, help="Profile whose endpoint and subscription to take.")

    aliases = {  # noqa: RUF012
        "endpoint": "SubscriptionCommand.endpoint",
        "subscription-id": "SubscriptionCommand.subscription_id",
        "profile": "SubscriptionCommand.profile",
    }

    def places(self, records: list[LocalRecord]) -> list[Whereabouts]:
        """Where to ask: what the options say, else wherever this user's clusters may be."""
        if self.profile:
            launcher = AzureVMControllerLauncher(config=self.profile_config(self.profile))
            return [of_settings(launcher.settings())]
        if self.endpoint or self.subscription_id:
            return [configured(self.endpoint or PUBLIC_CLOUD, self.subscription_id)]
        return everywhere(item.core for item in records if item.core is not None)

    def profile_config(self, profile: str) -> Config:
        """ipcluster_config.py of a profile and of the computer, as ipcluster loads them.

        This command's own options come before them. Raises ConfigurationError.
        """
        folder = str(profile_dir(get_ipython_dir(), profile))
        self.raise_config_file_errors = True
        try:
            paths = [folder, *ENV_CONFIG_DIRS, *SYSTEM_CONFIG_DIRS]
            self.load_config_file("ipcluster_config", path=paths)
        except Exception as error:  # whatever the user's own code raises
            raise ConfigurationError(
                f"ipcluster_config.py of profile {profile} can't be read: {error!r}"
            ) from error
        for name in ("endpoint", "subscription_id"):
            if value := getattr(self, name):
                self.config.AzureVMLauncher[name] = value
        return self.config
