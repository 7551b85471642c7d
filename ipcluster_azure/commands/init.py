"""`ipcluster-azure init`: a profile from a template."""

import shutil
from importlib.resources import as_file, files
from pathlib import Path

from IPython.core.profiledir import ProfileDir, ProfileDirError
from IPython.paths import get_ipython_dir
from traitlets import Bool, Enum, Unicode

from .base import Command, say_and_exit


class InitApp(Command):
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

    def act(self) -> None:
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
