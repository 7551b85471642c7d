"""The command ipcluster-azure: what ipcluster has no subcommand for."""

import importlib.metadata
from typing import Any

from traitlets import Unicode
from traitlets.config import Application, catch_config_error

from .base import say_and_exit

COMMANDS = "ipcluster_azure.commands"


class AzureApp(Application):
    """ipcluster-azure SUBCOMMAND"""

    name = "ipcluster-azure"
    version = Unicode(importlib.metadata.version("ipcluster-azure"))
    description = """Clusters of ipyparallel on Azure virtual machines.

    `ipcluster start`, `ipcluster engines` and `ipcluster stop` do the daily work; this command
    makes profiles, shows clusters, deletes lost ones, and runs the local emulator of Azure.
    """
    subcommands = {  # noqa: RUF012
        "init": (f"{COMMANDS}.init.InitApp", "Make a profile from a template."),
        "status": (f"{COMMANDS}.status.StatusApp", "Show the clusters of a profile."),
        "attach": (f"{COMMANDS}.attach.AttachApp", "Open the way to a running cluster again."),
        "list": (f"{COMMANDS}.list.ListApp", "Show all clusters of the subscription."),
        "reap": (f"{COMMANDS}.reap.ReapApp", "Delete clusters that were left behind."),
        "doctor": (f"{COMMANDS}.doctor.DoctorApp", "Look at all that a start needs."),
        "emulator": (
            "azure_emulator.cli.EmulatorApp",
            "Start, stop, inspect or empty the local emulator of Azure.",
        ),
    }

    @catch_config_error
    def initialize(self, argv: Any = None) -> None:
        super().initialize(argv)
        if self.subapp is None and self.extra_args:
            known = ", ".join(self.subcommands)
            say_and_exit(f"there is no subcommand {self.extra_args[0]!r}; there are {known}.", 2)
        elif self.subapp is None:
            self.print_help()
            self.exit(0)

    def start(self) -> None:
        if self.subapp is not None:
            self.subapp.start()


def main() -> None:
    """Entry point of the console script."""
    AzureApp.launch_instance()
