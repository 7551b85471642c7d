"""Patches of installed files, laid over the same package's wheel for another platform."""

import zipfile
from pathlib import Path, PurePosixPath

from .installed import Distribution
from .repack import COMPILED, no_wheel, written
from .wheel_file import file_entry, member_entry


def overlay(wheel: Path, distribution: Distribution) -> Path:
    """Make a wheel of an index's, with the files that were changed or added by hand here.

    For a patched distribution whose own wheel is for another platform than the machines'.
    Raises ConfigurationError if a compiled file was changed, which would not run there.
    """
    named = [*distribution.changed, *distribution.added]
    compiled = [name for name in named if name.endswith(COMPILED)]
    if compiled:
        raise no_wheel(
            distribution, f"compiled files were changed: {', '.join(compiled)}; they run only here"
        )
    with zipfile.ZipFile(wheel) as archive:
        members = [one for one in archive.infolist() if not one.is_dir()]
        folders = (PurePosixPath(member.filename).parts for member in members)
        info = next(parts[0] for parts in folders if parts[1:] == ("WHEEL",))
        stem = info.removesuffix(".dist-info")
        entries = {
            member.filename: member_entry(archive, member)
            for member in members
            if not member.filename.startswith(f"{info}/RECORD")  # nor a signature of it
        }
        for name in named:
            split = [f"{stem}.data/{scheme}/{name}" for scheme in ("purelib", "platlib")]
            inside = next((inner for inner in split if inner in entries), name)
            path = Path(distribution.location, name)
            entries[inside] = file_entry(inside, path, path.stat())
        return written(distribution, wheel.name, list(entries.values()), info)
