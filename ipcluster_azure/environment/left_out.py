"""What is installed here and can't be had for the machines: refused, or left out and named."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import ConfigurationError
from .installed import Installed
from .missing import all_missing, nearest
from .resolve import Resolver
from .selection import Selection
from .sync import Pinning
from .wanted import IPYPARALLEL

# of messages about one package; here it is given for all
ADVICE = re.compile(r" [^.]*, or leave it out: sync_exclude = .*")


@dataclass(frozen=True)
class LeftOut:
    """Names of packages that the machines don't get. `foreign` are of another platform, with no
    version for Linux, and nothing there needs them; `missing` are told in `lines`."""

    foreign: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


def judge(
    pinning: Pinning, installed: Installed, selection: Selection, resolver: Resolver
) -> LeftOut:
    """Raises ConfigurationError if something needs them that this process has imported, or with
    sync_strict; it names all, and what to type for each."""
    gone = sorted(pinning.result.gone)
    if not gone:
        return LeftOut()
    proposals = _proposals(pinning, installed, resolver, gone)
    foreign = {
        name
        for name in gone
        if installed.sys_platform != "linux"
        and not proposals[name]
        and not pinning.needs.needed_by.get(name, set()) - set(gone)
        and pinning.is_pin(name)
    }
    missing = [name for name in gone if name not in foreign]
    # without the first nothing runs there
    imported = [IPYPARALLEL, *_imported(installed, selection.imported)]
    needed = pinning.needs.closure(imported)
    lines = [_line(pinning, installed, name) for name in missing]
    advice = _advice(proposals, missing)
    refused = [name for name in missing if selection.sync_strict or name in needed]
    if refused:
        place = f"Linux on {resolver.target.architecture} with Python {resolver.target.python}"
        raise ConfigurationError(
            f"Not to be had for the machines ({place}): {'; '.join(lines)}. {advice}"
        )
    told = [f"Left out, as the machines can't have it: {line}." for line in lines]
    if told:
        told[-1] = f"{told[-1]} {advice}"
    return LeftOut(tuple(sorted(foreign)), tuple(missing), tuple(told))


def _proposals(
    pinning: Pinning, installed: Installed, resolver: Resolver, gone: Iterable[str]
) -> dict[str, str]:
    """The nearest version of each that all others allow, with those proposed before; or nothing."""
    pins, proposals = dict(pinning.result.pins), dict.fromkeys(gone, "")
    asked = [name for name in gone if pinning.is_pin(name)]
    # those that have no version at all would leave none of what needs them
    there = set(asked) - all_missing(resolver, {name: name for name in asked})
    excluded = {*pinning.never, *gone} - there
    for name in sorted(there):
        item = installed.named(name)
        if item is not None:
            proposals[name] = nearest(resolver, name, item.version, pins, excluded)
        if proposals[name]:
            pins[name] = f"{name}=={proposals[name]}"
        else:
            excluded.add(name)
    return proposals


def _imported(installed: Installed, modules: Iterable[str]) -> list[str]:
    names = set(modules)
    return [item.name for item in installed.distributions if names & set(item.top_level)]


def _line(pinning: Pinning, installed: Installed, name: str) -> str:
    item = installed.named(name)
    version = item.version if item else ""
    needed_by = sorted(pinning.needs.needed_by.get(name, set()))
    needs = f" (needed by {', '.join(needed_by)})" if needed_by else ""
    why = ADVICE.sub("", pinning.carrier.faults.get(name, "")).rstrip(".")
    why = why.removeprefix(f"{name} ")
    return f"{name} {version}{needs}" + (f": {why}" if why else "")


def _advice(proposals: dict[str, str], missing: Iterable[str]) -> str:
    accept = [f'"{name}=={proposals[name]}"' for name in missing if proposals[name]]
    exclude = [f'"{name}"' for name in missing if not proposals[name]]
    parts = []
    if accept:
        parts.append(f"c.AzureVMLauncher.sync_accept = [{', '.join(accept)}] takes what is nearest")
    if exclude:
        parts.append(f"c.AzureVMLauncher.sync_exclude = [{', '.join(exclude)}] does without")
    return f"{'; '.join(parts)}." if parts else ""
