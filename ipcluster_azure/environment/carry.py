"""Wheels made here, of what the machines can't have from an index as it is installed here."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ConfigurationError
from .choose import Chooser
from .installed import Distribution, Installed
from .lock import Wheel
from .repack import repack


@dataclass(frozen=True)
class Carrier:
    """Makes wheels for what `chooser` chooses for, out of what is installed.

    `faults` says of what could not be made why, by names.
    """

    installed: Installed
    chooser: Chooser
    now: Callable[[str], None]
    faults: dict[str, str] = field(default_factory=dict)

    def carried(self, item: Distribution) -> Path | None:
        """A wheel of what no index is asked for; None if there can't be one."""
        if item.kind != "editable" and (path := self.repacked(item)):
            return path
        return None

    def repacked(self, item: Distribution) -> Path | None:
        """The installed files as a wheel; None if they don't run there, or are not all known."""
        self.now(f"Packing {item.name} {item.version}, as it is installed here")
        try:
            packed = repack(item, self.installed)
        except ConfigurationError as error:
            self.faults[item.name] = str(error)
            return None
        if not self.chooser.fits(packed.tags):
            self.faults[item.name] = f"it was built for {packed.tags[0].rpartition('-')[2]}"
            return None
        return packed.path

    def built(self, source: str) -> Wheel:
        """A wheel of sources, which are given as a requirement.

        Raises ConfigurationError if they can't be built, or only for this computer.
        """
        raise ConfigurationError(f"{source} can't be built here.")
