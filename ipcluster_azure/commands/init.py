"""`ipcluster-azure init`: a profile from a template."""

import difflib
import shutil
from importlib.resources import as_file, files
from pathlib import Path

from IPython.core.profiledir import ProfileDir, ProfileDirError
from IPython.paths import get_ipython_dir
from traitlets import Bool, Enum, Unicode

from ..clusters.old_spelling import updated
from ..clusters.profiles import profile_dir
from ..formatting import printable
from .base import MISTAKE, Command, say_and_exit


class InitApp(Command):
    """Make a profile for clusters on Azure, or on the local emulator."""

    name = "ipcluster-azure-init"
    description = """Make a profile for clusters on Azure, or on the local emulator.

    Copies a template's configuration files into the IPython directory. Files that exist are kept
    unless --reset is given. With --update it writes c.Cluster.controller_launcher_class, for
    example, where a profile has c.IPClusterStart.controller_launcher_class, which `ipcluster start`
    alone understands.
    """
    examples = """
    ipcluster-azure init --profile=azure
    ipcluster-azure init --profile=trial --template=emulator
    ipcluster-azure init --profile=azure --update
    """
    profile = Unicode("azure", config=True, help="Name of the profile.")
    template = Enum(
        ["azure", "emulator"], default_value="azure", config=True, help="Template to copy."
    )
    reset = Bool(False, config=True, help="Overwrite the configuration files that are there.")
    update = Bool(
        False, config=True, help="Write today's names into the profile's ipcluster_config.py."
    )

    aliases = {"profile": "InitApp.profile", "template": "InitApp.template"}  # noqa: RUF012
    flags = {  # noqa: RUF012
        "reset": (
            {"InitApp": {"reset": True}},
            "Overwrite the three files; otherwise files that exist are kept.",
        ),
        "update": (
            {"InitApp": {"update": True}},
            "Write today's names into an existing ipcluster_config.py instead, and keep all else "
            "of it.",
        ),
    }

    def act(self) -> None:
        if not self.profile or any(mark in self.profile for mark in "/\\"):
            say_and_exit(f"{self.profile!r} is not a profile's name.")
        if self.update:
            self._update()
            return
        location = self._profile_location()
        source = files("ipcluster_azure.profile_templates") / self.template
        with as_file(source) as folder:
            for path in sorted(Path(folder).glob("*.py")):
                self._copy(path, location / path.name)
        print(f"Profile {self.profile} is ready: {location}")
        print(f"Next: ipcluster start --profile={self.profile} -n 4")

    def _update(self) -> None:
        if self.reset or "template" in self.config.InitApp:
            say_and_exit("init: --update goes with neither --reset nor --template.", MISTAKE)
        config = profile_dir(get_ipython_dir(), self.profile) / "ipcluster_config.py"
        try:
            self._write(config)
        except OSError as error:
            say_and_exit(f"{config} can't be written: {error}")

    def _write(self, config: Path) -> None:
        update = updated(config)
        if not update.names:
            print(f"Nothing to update: {config} has no old names.")
            return
        before, after = (text.splitlines() for text in (update.old, update.new))
        for line in difflib.unified_diff(before, after, "before", "after", n=0, lineterm=""):
            print(printable(line))
        print(f"Kept what was there before as {update.write()}")

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
