"""ipcluster-azure emulator: hands its arguments on to the emulator's own command line."""

import sys
from collections.abc import Sequence

from traitlets.config import Application

from azure_emulator import cli


class EmulatorApp(Application):
    """A subcommand whose options are none of traitlets'."""

    name = "ipcluster-azure-emulator"
    arguments: Sequence[str] | None = None

    def initialize(self, argv: Sequence[str] | None = None) -> None:
        self.arguments = argv

    def start(self) -> None:
        sys.exit(cli.main(self.arguments, "ipcluster-azure emulator"))
