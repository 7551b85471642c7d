"""Makes docs/reference/settings.md from the traits themselves.

python docs/generate_settings.py            prints the page
python docs/generate_settings.py --write    rewrites it
"""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from traitlets import Bool, Dict, Enum, Float, Integer, List, Unicode, Union

import generated
from ipcluster_azure.launchers import AzureVMControllerLauncher, AzureVMEngineSetLauncher
from ipcluster_azure.settings.traits import AzureVMLauncher
from ipcluster_azure.settings.values import OF_EITHER_SIDE, OF_ENGINES

PAGE = Path(__file__).parent / "reference" / "settings.md"
INTRODUCTION = """\
# Settings

<!-- Made by docs/generate_settings.py from the traits. Do not edit. -->

Settings go into `ipcluster_config.py` of the profile. `ipcluster-azure init` writes one with the
usual settings; `ipython profile create --parallel NAME` writes one that lists all of them.

    c.AzureVMLauncher.location = "westeurope"               # holds for both sides
    c.AzureVMControllerLauncher.vm_size = "Standard_D2s_v5" # for the controller alone
    c.AzureVMEngineSetLauncher.priority = "Spot"            # for the engines alone

On the command line: `ipcluster start --profile=azure -n 8 --AzureVMLauncher.location=westeurope`.
In Python: a `traitlets.config.Config` given to `ipp.Cluster(config=...)`.

A value that can't be, or a name that is no setting, ends the start with one line before anything
is created. Units are in the names: `_s` seconds, `_h` hours, `_gb` GiB.
"""
INHERITED = """\
## Inherited from ipyparallel

These are ipyparallel's own and work here as with any other launcher.

| name | meaning here |
|---|---|
| `Cluster.controller_launcher_class` | `azurevm` selects this package for the controller |
| `Cluster.engine_launcher_class` | the same for the engines; both must be set |
| `Cluster.delay` | seconds between the two sides; 0 in the templates: they boot together |
| `AzureVMControllerLauncher.controller_args` | further arguments of `ipcontroller` |
| `AzureVMControllerLauncher.controller_cmd` | runs it: `["nice", "-n", "5", "ipcontroller"]` |
| `AzureVMControllerLauncher.environment` | variables on the controller, during set-up too |
| `AzureVMEngineSetLauncher.engine_args` | further arguments of `ipengine` |
| `AzureVMEngineSetLauncher.engine_cmd` | the same, ending in `ipengine` |
| `AzureVMEngineSetLauncher.environment` | variables on the engines' machines, likewise |

Refused, as they would have no effect: `output_limit` and `stop_timeout`.

`ipcontroller_config.py`, `ipengine_config.py`, `ipython_config.py`, modules beside them, and the
`.py` and `.ipy` files in `startup/` of the profile are copied to the machines, and so are the files
that `startup_script` and `exec_files` name. Where any of these configures something, `ipcontroller`
and `ipengine` are tried on this computer before anything is created. Options that the launcher sets
itself, such as `--ip`, `--location` and `--profile-dir`, are refused in their arguments.
"""


def type_name(trait: Any) -> str:
    """The type in a reader's words, with the limits that the trait itself checks."""
    if isinstance(trait, Union):
        return " or ".join(type_name(part) for part in trait.trait_types)
    if isinstance(trait, Enum):
        return " or ".join(f"`{value!r}`" for value in trait.values)
    if isinstance(trait, (Integer, Float)):
        kind = "whole number" if isinstance(trait, Integer) else "number"
        bounds = [bound for bound in (trait.min, trait.max) if _is_limit(bound)]
        limits = f", {bounds[0]} to {bounds[1]}" if len(bounds) == 2 else ""
        return kind + (limits or (f", at least {bounds[0]}" if bounds else ""))
    names = {Unicode: "text", Bool: "`True` or `False`", List: "list of text", Dict: "dict of text"}
    return names[type(trait)]


def _is_limit(bound: float | None) -> bool:
    return bound is not None and math.isfinite(bound)


def table(owner: type, names: list[str], defaults: Any) -> str:
    """One row for each trait; `defaults` is an instance, since some defaults are computed."""
    traits = owner.class_own_traits(config=True)  # type: ignore[attr-defined]
    rows = ["| name | type | default | meaning |", "|---|---|---|---|"]
    for name in names:
        help_text = " ".join(traits[name].help.split()).replace("|", "\\|")
        default = repr(getattr(defaults, name))
        rows.append(f"| `{name}` | {type_name(traits[name])} | `{default}` | {help_text} |")
    return "\n".join(rows)


def _names(names: Iterable[str]) -> str:
    *others, last = (f"`{name}`" for name in sorted(names))
    return f"{', '.join(others)} and {last}"


def page() -> str:
    shared = sorted(AzureVMLauncher.class_own_traits(config=True))
    parts = [
        INTRODUCTION,
        "## Of both launchers: `c.AzureVMLauncher`\n",
        f"{_names(OF_EITHER_SIDE)} can also be set for one side\n"
        "alone, in `c.AzureVMControllerLauncher` or `c.AzureVMEngineSetLauncher`. What would have\n"
        "no effect is refused: a setting of the whole cluster in the engines' section, and\n"
        f"{_names(OF_ENGINES)} in the controller's.\n",
        table(AzureVMLauncher, shared, AzureVMControllerLauncher()) + "\n",
    ]
    for launcher in (AzureVMControllerLauncher, AzureVMEngineSetLauncher):
        own = sorted(set(launcher.class_own_traits(config=True)))
        parts.append(f"## Of one launcher alone: `c.{launcher.__name__}`\n")
        parts.append(table(launcher, own, launcher(cluster_id="{cluster_id}")) + "\n")
    return "\n".join([*parts, INHERITED])


if __name__ == "__main__":
    generated.main(PAGE, page)
