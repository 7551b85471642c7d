"""The options that say which subscription a command is to ask."""

from IPython.paths import get_ipython_dir
from traitlets import Unicode
from traitlets.config import Config

from ..clusters.local_records import LocalRecord
from ..clusters.profiles import profile_config, profile_dir
from ..clusters.whereabouts import Whereabouts, configured, everywhere, of_settings
from ..launchers import AzureVMControllerLauncher
from ..settings.values import PUBLIC_CLOUD
from .base import Command


class SubscriptionCommand(Command):
    """A command that asks the subscription of its options or of a profile, or all that it finds."""

    endpoint = Unicode(
        "", config=True, help="Azure Resource Manager's address, an https URL, or `emulator`."
    )
    subscription_id = Unicode("", config=True, help="Ask this subscription alone.")
    profile = Unicode("", config=True, help="Profile whose endpoint and subscription to take.")

    aliases = {  # noqa: RUF012
        "endpoint": "SubscriptionCommand.endpoint",
        "subscription-id": "SubscriptionCommand.subscription_id",
        "profile": "SubscriptionCommand.profile",
    }

    @property
    def names_place(self) -> bool:
        """Whether the options name the one subscription to ask."""
        return bool(self.profile or self.endpoint or self.subscription_id)

    def places(self, records: list[LocalRecord]) -> list[Whereabouts]:
        """Return the subscription that the options name, else all that may have such clusters."""
        if self.profile:
            launcher = AzureVMControllerLauncher(config=self.profile_config(self.profile))
            return [of_settings(launcher.settings())]
        if self.endpoint or self.subscription_id:
            return [configured(self.endpoint or PUBLIC_CLOUD, self.subscription_id)]
        return everywhere(item.core for item in records if item.core is not None)

    def profile_config(self, profile: str) -> Config:
        """Return the settings in ipcluster_config.py of a profile and of the computer.

        They are loaded as ipcluster does; this command's own options win. Raises
        ConfigurationError if there is no such profile, or its Python fails.
        """
        self.update_config(profile_config(profile_dir(get_ipython_dir(), profile)))
        for name in ("endpoint", "subscription_id"):
            if value := getattr(self, name):
                self.config.AzureVMLauncher[name] = value
        return self.config
