"""What is told of a prepared environment: what it has in one line, and each difference."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from packaging.version import InvalidVersion, Version

from .complete import Completed
from .indexes import scrubbed
from .installed import Distribution, Installed
from .left_out import LeftOut
from .lock import Locked
from .resolve import Found
from .sync import Pinned


@dataclass(frozen=True)
class Content:
    """What the machines get. `own` are the names that were asked for; others are `more`, such as
    "that Linux needs". Wheels of `patched` get what was changed here. `warnings` are lines.
    `staying` are so many that only ipcluster-azure needs."""

    packages: list[Found]
    own: frozenset[str]
    more: str
    patched: Mapping[str, Distribution] = field(default_factory=dict)
    left_out: LeftOut = field(default_factory=LeftOut)
    warnings: tuple[str, ...] = ()
    staying: int = 0


def summary_of(content: Content, packages: Iterable[Locked]) -> str:
    """Such as: 186 packages: 183 from the index, 2 built here, 1 not for Linux: pywin32; 2 more
    that Linux needs."""
    listed = list(packages)
    built = {item.name for item in content.packages if _is_built(item)}
    own = [package for package in listed if package.name in content.own]
    counts = {
        "from the index": sum(bool(item.wheel.url) for item in own),
        "built here": sum(item.name in built for item in own),
    }
    counts["fetched here"] = len(own) - sum(counts.values())
    parts = [f"{count} {what}" for what, count in counts.items() if count]
    foreign, missing = content.left_out.foreign, content.left_out.missing
    for names, what in ((foreign, "not for Linux"), (missing, "left out")):
        parts += [f"{len(names)} {what}: {', '.join(names)}"] if names else []
    total = len(own) + len(foreign) + len(missing)
    more = len(listed) - len(own)
    text = f"{total} package{'' if total == 1 else 's'}: {', '.join(parts)}"
    text += f"; {more} more {content.more}" if more else ""
    return text + (f"; {content.staying} for ipcluster-azure stay here" if content.staying else "")


def _is_built(item: Found) -> bool:
    return any(wheel.path for wheel in item.wheels.values()) or (
        bool(item.source) and not item.wheels
    )


def content_of(pinned: Pinned, left_out: LeftOut, installed: Installed, wanted: bool) -> Content:
    """Of what is installed here; `wanted`: there are requirements, too."""
    found = {package.name: package.version for package in pinned.packages}
    lines = [*left_out.lines, *pinned.excluded_but_needed]
    for item in installed.distributions:
        if line := _difference(item, found.get(item.name, ""), pinned):
            lines.append(line)
    if pinned.unresolved:
        lines.append(f"What is not installed here either is left out: {pinned.unresolved}.")
    reasons = ["requirements"] if wanted else []
    reasons += ["Linux"] if installed.sys_platform != "linux" else []
    more = f"that {' and '.join(reasons)} need" if reasons else "that they need"
    return Content(
        pinned.packages,
        frozenset(pinned.pins) | frozenset(pinned.overruled),
        "that Linux needs" if reasons == ["Linux"] else more,
        pinned.patched,
        left_out,
        tuple(lines),
    )


def _difference(item: Distribution, there: str, pinned: Pinned) -> str:
    """Say what the machines have otherwise of a package; nothing if there is no difference."""
    if not there:
        return ""
    if rule := pinned.overruled.get(item.name):
        return overruled_line(item.name, there, item.version, rule)
    if item.name in pinned.accepted:
        return (
            f"The machines get {item.name} {there} instead of {item.version}, which there isn't "
            "for Linux, as sync_accept has it."
        )
    if item.name in pinned.carried and not _is_same(there, item.version):
        return f"The machines get {item.name} {there}, as its sources are now, not {item.version}."
    if item.name in pinned.pins and not _is_same(there, item.version):
        return (
            f"The machines get {item.name} {there}, another build than {item.version}: that one "
            "there isn't for Linux."
        )
    if item.patched:
        files = ", ".join((*item.changed, *item.added))
        return f"{item.name} {item.version} goes as it was changed by hand here, in {files}."
    return ""


def _is_same(there: str, here: str) -> bool:
    try:
        return Version(there) == Version(here)
    except InvalidVersion:
        return there == here


def content_of_lock(completed: Completed, wanted: bool) -> Content:
    """Of what python_lock names; `wanted`: there are requirements, too."""
    there = {package.name: package.version for package in completed.packages}
    lines = [
        overruled_line(name, there.get(name, ""), version, rule)
        for name, (version, rule) in sorted(completed.overruled.items())
        if there.get(name, "") != version
    ]
    reason = "for ipyparallel and requirements" if wanted else "for ipyparallel"
    own = frozenset(there) - completed.added
    return Content(completed.packages, own, reason, warnings=tuple(lines))


def overruled_line(name: str, there: str, here: str, rule: str) -> str:
    return f"The machines get {name} {there} instead of {here}, as {scrubbed(rule)!r} is required."
