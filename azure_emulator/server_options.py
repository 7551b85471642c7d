"""How an emulator runs, as a command line: one definition for whoever starts one and for itself.

`emulator start` and client.start() check these options before anything is started, and hand them
on to the server's process (front/serve.py), which reads them with the same parser.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

MACHINE_KINDS = ("process", "none", "nspawn")
CLOCK_KINDS = ("real", "virtual")
MOST_DIGITS = 9  # of a process's id, which is a C int


@dataclass(frozen=True)
class ServerSettings:
    """The settings of one emulator; what they mean is said by the options' help below."""

    state_dir: Path
    machines: str = "process"
    clock: str = "real"
    time_scale: float = 0.0
    seed: int | None = None
    throttle: bool = False
    idle_timeout_s: float = 600.0
    end_with_pid: int | None = None
    port: int = 0
    quota_cores: int = 10_000
    root_layer: Path | None = None

    @property
    def machines_dir(self) -> Path:
        return self.state_dir / "machines"


class StrictParser(argparse.ArgumentParser):
    """Takes no abbreviated options; a mistake is one line, and exit status 2."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_abbrev=False, **kwargs)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {' '.join(message.split())}\n")

    def refuse(self, unknown: str) -> NoReturn:
        """End because of an argument that this parser doesn't know, and name the likely one."""
        import difflib  # only for mistakes: launchers import this module, too

        options = sorted(name for name in self._option_string_actions if name.startswith("--"))
        given = unknown.partition("=")[0]
        if given in options:
            self.error(f"'{given}' belongs behind the subcommand")
        near = difflib.get_close_matches(given, options, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(options)}."
        what = "there is no option" if unknown.startswith("-") else "unexpected argument"
        self.error(f"{what} '{unknown}'; {hint}")


def _number(low: float, high: float, kind: type = int) -> Callable[[str], Any]:
    """Return a converter for argparse that takes numbers of `kind` from `low` to `high`."""
    name = "a whole number" if kind is int else "a number"
    allowed = f"{name} from {low:g} to {high:g}" if high < math.inf else f"{name}, {low:g} or more"

    def convert(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not (low <= value <= high and math.isfinite(value)):
            raise argparse.ArgumentTypeError(f"must be {allowed}, not '{text}'")
        return value

    return convert


def _folder(text: str) -> Path:
    path = Path(text)
    # the kernel takes them apart by colons
    if not path.is_dir() or ":" in text:
        raise argparse.ArgumentTypeError(f"must be a folder without : in its path, not '{text}'")
    return path.resolve()


def _running_process(text: str) -> int:
    import psutil  # only for this option: `emulator start` shall start quickly

    if not text.isdecimal() or len(text) > MOST_DIGITS or not psutil.pid_exists(int(text)):
        raise argparse.ArgumentTypeError(f"must be the id of a running process, not '{text}'")
    return int(text)


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add all options but --state-dir; the defaults are those of ServerSettings."""
    add = parser.add_argument
    parser.set_defaults(
        **{
            name: field.default
            for name, field in ServerSettings.__dataclass_fields__.items()
            if name != "state_dir"
        }
    )
    add(
        "--machines",
        choices=MACHINE_KINDS,
        help="process: VMs are SSH servers on loopback addresses; none: VMs without SSH; nspawn: "
        "VMs are containers with systemd in namespaces of their own, for root on Linux "
        "(default: %(default)s)",
    )
    add(
        "--clock",
        choices=CLOCK_KINDS,
        help="virtual: time stands still until a program advances it (default: %(default)s)",
    )
    add(
        "--time-scale",
        metavar="X",
        type=_number(0, math.inf, float),
        help="0: operations complete at once; 1: they take as long as in Azure "
        "(default: %(default)g)",
    )
    add(
        "--seed",
        metavar="N",
        type=int,
        help="makes durations, names and ids repeatable (default: random)",
    )
    add("--throttle", action="store_true", help="refuse too many requests, as Azure does")
    add(
        "--idle-timeout-s",
        metavar="S",
        type=_number(0, math.inf, float),
        help="end by itself after S seconds without a resource group (default: %(default)g)",
    )
    add(
        "--end-with-pid",
        metavar="PID",
        type=_running_process,
        help="end, with all machines, when the process PID has ended: a test suite gives its own "
        "(default: $IPCLUSTER_AZURE_EMULATOR_END_WITH_PID)",
    )
    add(
        "--port",
        metavar="N",
        type=_number(0, 65_535),
        help="TCP port of the endpoint on 127.0.0.1 (default: any free one)",
    )
    add(
        "--quota-cores",
        metavar="N",
        type=_number(0, math.inf),
        help="vCPUs that the subscription may have in a region (default: %(default)d)",
    )

    add(
        "--root-layer",
        metavar="FOLDER",
        type=_folder,
        help="nspawn: what lies over the machines' root file system, as an image of one's own "
        "has it (default: nothing)",
    )


def command_line(options: Mapping[str, Any]) -> list[str]:
    """Return client.start()'s keyword arguments as a command line, once they are found right.

    Raises TypeError for a name that is no option, and ValueError with what is allowed for a value.
    """
    known = [name for name in ServerSettings.__dataclass_fields__ if name != "state_dir"]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise TypeError(f"unknown options {unknown}; there are {known}")
    arguments = [
        f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}")
        for name, value in options.items()
        if value is not None and value is not False
    ]
    parser = StrictParser(exit_on_error=False)
    add_to(parser)
    try:
        parser.parse_args(arguments)
    except argparse.ArgumentError as error:
        raise ValueError(str(error)) from None
    return arguments


def parse(arguments: list[str] | None = None) -> tuple[ServerSettings, bool]:
    """Return what the server's own command line says, and whether it shall detach itself."""
    parser = StrictParser(prog="python -m azure_emulator.front.serve")
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--detach", action="store_true", help="return when the server is up")
    add_to(parser)
    values = vars(parser.parse_args(arguments))
    detach = values.pop("detach")
    return ServerSettings(**values), detach
