"""What `ipcluster-azure sync` says when it has sent the user's files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..formatting import counted, some
from ..own_files.collect import MB, Collected
from ..own_files.manifest import Manifest
from ..record.user_files import OwnFiles
from ..ssh.visits import ids_of, problem


@dataclass(frozen=True)
class Outcome:
    """What came of it: `lines` for the user; `problems`, machines that could not be brought up to
    date; `changed`, the names of files that the machines got, in `folder` here."""

    lines: Sequence[str]
    problems: Sequence[str] = ()
    folder: Path = field(default_factory=Path)
    manifest: Manifest = field(default_factory=Manifest)
    changed: Sequence[str] = ()


def told(own: OwnFiles, found: Collected, before: Manifest, outcomes: Mapping[str, Any]) -> Outcome:
    """Say what travelled, what it means for the engines, and what went wrong."""
    manifest = found.manifest
    changed, gone = manifest.changed_since(before), manifest.gone_since(before)
    well = {name: it for name, it in outcomes.items() if isinstance(it, dict)}
    lines = [_what(own, manifest, changed, gone, len(well), sum(map(_touched, well.values())))]
    again = {old: new for it in well.values() for old, new in it["again"].items()}
    if again:
        pairs = ", ".join(_successor(old, new) for old, new in sorted(again.items()))
        lines.append(f"Engines with an old compiled module were started anew: {pairs}.")
    if stale := sorted(i for it in well.values() for i in it["stale"]):
        lines.append(
            f"A compiled module has changed, but these engines compute and still have the old one: "
            f"{ids_of(stale)}. Run the same command afterwards, or with --force."
        )
    if any(name.endswith(".py") for name in [*changed, *gone]):
        lines.append("Each engine imports your modules anew at its next task.")
    if changed:
        lines += found.warnings
    problems = [problem(name, it) for name, it in outcomes.items() if isinstance(it, BaseException)]
    return Outcome(lines, problems, Path(own.folder), manifest, [*changed, *gone])


def _successor(old: int, new: int | None) -> str:
    return f"{old} did not come again" if new is None else f"{old} is {new} now"


def _touched(applied: Mapping[str, Any]) -> bool:
    return bool(applied["written"] or applied["removed"])


def _what(
    own: OwnFiles,
    manifest: Manifest,
    changed: Sequence[str],
    gone: Sequence[str],
    machines: int,
    touched: int,
) -> str:
    total = f"{counted(len(manifest.files), 'file')} of {own.folder}"
    now = f"now on {counted(machines, 'machine')}: {total}."
    if not changed and not gone:
        if touched:
            return f"Sent again what was missing on {counted(touched, 'machine')}; {now}"
        return f"Nothing has changed; {now}"
    parts = []
    if changed:
        size = sum(manifest.files[name][1] for name in changed) / MB
        parts.append(f"Sent {some(changed)} ({size:.1f} MB)")
    if gone:
        parts.append(f"removed {some(gone)}")
    return f"{', '.join(parts)}; {now}"
