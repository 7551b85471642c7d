"""What a cluster's record says of files of the user's that are on its machines."""

from dataclasses import dataclass, field


@dataclass
class Preparation:
    """What the engines were found to be configured with: `key` changes with it; `files`, which they
    run, are pairs of the name that they have in the configuration and the path here."""

    key: str = ""
    files: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class OwnFiles:
    """The user's own modules and files on the machines (own_files/choice.py).

    `folder` is where they lie here; `paths` and `limit_mb` are the settings sync_paths and
    sync_limit_mb, `back` is sync_back. `sha256` is the hash of the archive with all of them that
    the controller offers, empty if there is none; `difference` that of the one for machines that
    have the files of the id `base` (Manifest.id).
    """

    folder: str = ""
    paths: list[str] = field(default_factory=list)
    limit_mb: float = 0.0
    back: list[str] = field(default_factory=list)
    sha256: str = ""
    difference: str = ""
    base: str = ""
