"""What is told of a prepared environment: what it has in one line, and each difference."""

from collections.abc import Iterable

from .installed import Installed
from .left_out import LeftOut
from .lock import Locked
from .selection import Selection
from .sync import Pinned


def summary_of(
    pinned: Pinned, packages: Iterable[Locked], left_out: LeftOut, installed: Installed
) -> str:
    """Such as: 186 packages: 183 from the index, 2 built here, 1 not for Linux: pywin32; 2 more
    that Linux needs."""
    own = pinned.pins.keys() | pinned.overruled.keys()
    listed = [package for package in packages if package.name in own]
    more = len(list(packages)) - len(listed)
    built = [package for package in listed if package.name in pinned.carried]
    from_index = [package for package in listed if package.wheel.url]
    fetched = len(listed) - len(built) - len(from_index)
    parts = [f"{len(from_index)} from the index"] if from_index else []
    parts += [f"{len(built)} built here"] if built else []
    parts += [f"{fetched} fetched here"] if fetched else []
    for names, what in ((left_out.foreign, "not for Linux"), (left_out.missing, "left out")):
        parts += [f"{len(names)} {what}: {', '.join(names)}"] if names else []
    total = len(listed) + len(left_out.foreign) + len(left_out.missing)
    reason = "that Linux needs" if installed.sys_platform != "linux" else "that they need"
    return f"{total} packages: {', '.join(parts)}" + (f"; {more} more {reason}" if more else "")


def warnings_of(
    pinned: Pinned, left_out: LeftOut, installed: Installed, selection: Selection
) -> tuple[str, ...]:
    """What the machines have otherwise than this computer, a line for each."""
    found = {package.name: package.version for package in pinned.packages}
    lines = list(left_out.lines)
    for item in installed.distributions:
        if rule := pinned.overruled.get(item.name):
            lines.append(
                f"The machines get {item.name} {found.get(item.name, '')} instead of "
                f"{item.version}, as requirements has {rule!r}."
            )
        elif item.name in pinned.accepted:
            lines.append(
                f"The machines get {item.name} {found.get(item.name, '')} instead of "
                f"{item.version}, which there isn't for Linux, as sync_accept has it."
            )
        elif item.patched and item.name in pinned.carried:
            files = ", ".join((*item.changed, *item.added))
            lines.append(f"{item.name} {item.version} goes as it was changed by hand here: {files}")
    lines += pinned.excluded_but_needed
    if pinned.unresolved:
        lines.append(f"What is not installed here either is left out: {pinned.unresolved}.")
    return tuple(lines)
