"""The command ipcluster-azure: what ipcluster has no subcommand for."""

import importlib.metadata
import shutil
import sys
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, NoReturn

from IPython.core.profiledir import ProfileDir, ProfileDirError
from IPython.paths import get_ipython_dir
from traitlets import Bool, Enum, Unicode
from traitlets.config import Application, catch_config_error


def say_and_exit(message: str, status: int = 1) -> NoReturn:
    print(f"ipcluster-azure: {message}", file=sys.stderr)
    sys.exit(status)


def refuse_unknown(app: Application, takes: str) -> None:
    """traitlets drops options that it does not know without a word."""
    unknown = [*app.extra_args, *(set(app.config) - {type(app).__name__, "Application"})]
    if unknown:
        say_and_exit(f"{takes}, not {unknown[0]!r}.")


class InitApp(Application):
    """Make a profile for clusters on Azure, or on the local emulator."""

    name = "ipcluster-azure-init"
    description = """Make a profile for clusters on Azure, or on the local emulator.

    Copies a template's configuration files into the IPython directory. Files that exist are kept
    unless --reset is given.
    """
    examples = """
    ipcluster-azure init --profile=azure
    ipcluster-azure init --profile=trial --template=emulator
    """
    profile = Unicode("azure", config=True, help="Name of the profile.")
    template = Enum(
        ["azure", "emulator"], default_value="azure", config=True, help="Template to copy."
    )
    reset = Bool(False, config=True, help="Overwrite the configuration files that are there.")

    aliases = {"profile": "InitApp.profile", "template": "InitApp.template"}  # noqa: RUF012
    flags = {"reset": ({"InitApp": {"reset": True}}, "Overwrite existing files.")}  # noqa: RUF012

    def start(self) -> None:
        refuse_unknown(self, "init takes --profile, --template and --reset")
        if not self.profile or any(mark in self.profile for mark in "/\\"):
            say_and_exit(f"{self.profile!r} is not a profile's name.")
        location = self._profile_location()
        source = files("ipcluster_azure.profile_templates") / self.template
        with as_file(source) as folder:
            for path in sorted(Path(folder).glob("*.py")):
                self._copy(path, location / path.name)
        print(f"Profile {self.profile} is ready: {location}")
        print(f"Next: ipcluster start --profile={self.profile} -n 4")

    def _profile_location(self) -> Path:
        ipython_dir = get_ipython_dir()
        try:
            found = ProfileDir.find_profile_dir_by_name(ipython_dir, self.profile)
        except ProfileDirError:
            found = ProfileDir.create_profile_dir_by_name(ipython_dir, self.profile)
        return Path(found.location)

    def _copy(self, source: Path, target: Path) -> None:
        if target.exists() and not self.reset:
            print(f"Kept {target}; --reset overwrites it")
            return
        shutil.copyfile(source, target)
        print(f"Wrote {target}")


class StatusApp(Application):
    """Show the clusters of a profile: machines, engines, tunnels."""

    name = "ipcluster-azure-status"
    description = """Show the clusters of a profile: machines, engines, tunnels.

    Asks Azure and the controllers, and changes nothing.
    """
    examples = """
    ipcluster-azure status --profile=azure
    ipcluster-azure status --profile=azure --json
    """
    profile = Unicode("azure", config=True, help="Name of the profile.")
    as_json = Bool(False, config=True, help="Print JSON instead of text.")

    aliases = {"profile": "StatusApp.profile"}  # noqa: RUF012
    flags = {"json": ({"StatusApp": {"as_json": True}}, "Print JSON.")}  # noqa: RUF012

    def start(self) -> None:
        refuse_unknown(self, "status takes --profile and --json")
        from .errors import AzureLauncherError
        from .status import report

        try:
            print(report(get_ipython_dir(), self.profile, json_wanted=self.as_json))
        except AzureLauncherError as error:
            say_and_exit(str(error))


class AzureApp(Application):
    """ipcluster-azure SUBCOMMAND"""

    name = "ipcluster-azure"
    version = Unicode(importlib.metadata.version("ipcluster-azure"))
    description = """Clusters of ipyparallel on Azure virtual machines.

    `ipcluster start`, `ipcluster engines` and `ipcluster stop` do the daily work; this command
    makes profiles, shows clusters and runs the local emulator of Azure.
    """
    subcommands = {  # noqa: RUF012
        "init": (InitApp, "Make a profile from a template."),
        "status": (StatusApp, "Show the clusters of a profile."),
        "emulator": (
            "ipcluster_azure.emulator.app.EmulatorApp",
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
