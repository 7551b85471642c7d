"""Wheels made here, of what the machines can't have from an index as it is installed here."""

from dataclasses import dataclass
from pathlib import Path

from .choose import Chooser
from .installed import Distribution, Installed
from .lock import Wheel


@dataclass(frozen=True)
class Carrier:
    """Makes wheels into `folder`, for what `chooser` chooses for, out of what is installed."""

    installed: Installed
    chooser: Chooser
    folder: Path

    def repacked(self, item: Distribution) -> Path | None:
        """The installed files as a wheel; None if they don't run there, or are not all known."""
        return None

    def built(self, source: str) -> Wheel | None:
        """A wheel of sources, which are given as a requirement."""
        return None
